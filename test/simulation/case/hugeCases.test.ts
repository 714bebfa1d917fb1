/** Public cases on huge pages: each passes, with all invariants after every step. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { caseFileSchema } from '../../../src/case/caseSchema.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

const WANTED = /_huge(?!_fault)|migrate_remap_fault/;

describe('linux-hmm-selftests on huge pages', () => {
  const text = readFileSync(new URL('../../cases/linux-hmm-selftests.json', import.meta.url), 'utf8');
  const cases = caseFileSchema.parse(JSON.parse(text)).filter(({ name }) => WANTED.test(name));
  it.each(cases)('$name $variant', async (one) => {
    const { status, problems, missing } = await runCase(one, { executor: 'virtual', seed: 1 });
    expect([status, missing, problems.slice(0, 3)]).toEqual(['pass', null, []]);
  });
});
