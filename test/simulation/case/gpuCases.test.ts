/** Public cases on GPU address spaces: each passes, with all invariants after every step. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { caseFileSchema } from '../../../src/case/caseSchema.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

const suites = ['drm-gpuvm-split-merge', 'igt-xe-vm-mmap-style', 'igt-xe-vm-munmap-style'];

describe.each(suites)('%s', (suite) => {
  const text = readFileSync(new URL(`../../cases/${suite}.json`, import.meta.url), 'utf8');
  it.each(caseFileSchema.parse(JSON.parse(text)))('$name', async (one) => {
    const { status, problems, missing } = await runCase(one, { executor: 'virtual', seed: 1 });
    expect([status, missing, problems.slice(0, 3)]).toEqual(['pass', null, []]);
  });
});
