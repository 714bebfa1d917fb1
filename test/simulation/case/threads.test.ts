/** A case of each suite with every actor in a thread of its own: real interleavings give what one thread gives. */

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Case } from '../../../src/case/caseSchema.js';
import { loadCaseFile } from '../../../src/scenario/case/loadCases.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

const folder = fileURLToPath(new URL('../../cases/', import.meta.url));
const files = readdirSync(folder).filter((file) => file.endsWith('.json'));

/** Those with large buffers take as long as all others together. */
const MMAP_PAGES_MAX = 2048;

function isSmall({ steps }: Case): boolean {
  return steps.every(({ op, args }) => op !== 'mmap' || args.pages <= MMAP_PAGES_MAX);
}

describe('threads', () => {
  it.each(files)('%s holds, its first small case and one further on', { timeout: 60_000 }, async (file) => {
    const cases = loadCaseFile(`${folder}${file}`).filter((one) => one.deterministic && isSmall(one));
    for (const one of new Set([cases[0], cases[Math.floor(cases.length / 3)]])) {
      const { status, problems } = await runCase(one, { executor: 'threads', seed: 1 });
      expect(problems, one.name).toEqual([]);
      expect(status, one.name).not.toBe('fail');
    }
  });
});
