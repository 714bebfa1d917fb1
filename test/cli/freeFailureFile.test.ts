/** A failure without a name of its own takes no other one's place. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freeFailureFile } from '../../src/cli/freeFailureFile.js';
import { tempFolder } from '../tempFolder.js';

describe('freeFailureFile', () => {
  it('numbers the file where the name is taken', () => {
    const folder = tempFolder();
    for (const name of ['svmsim-failure.bin', 'svmsim-failure-2.bin', 'svmsim-failure-3.bin']) {
      expect(freeFailureFile(folder)).toBe(join(folder, name));
      writeFileSync(join(folder, name), 'x');
    }
  });
});
