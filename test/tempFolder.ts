/** A folder for what the tests of one file write, which goes when they have ended. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** Called at the top of a file, or of a group of tests. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'svmsim-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
