/** The project's own cases hold under several schedules, and those that are deterministic with real threads too. */

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadCaseFile } from '../../../src/scenario/case/loadCases.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

const SEEDS = [1, 2, 3];
const files = ['svmsim-attributes', 'svmsim-mirror', 'svmsim-reference'];

function casesOf(file: string) {
  return loadCaseFile(fileURLToPath(new URL(`../../cases/${file}.json`, import.meta.url)));
}

describe.each(files)('%s', (file) => {
  it.each(casesOf(file).map((one) => [one.name, one] as const))('%s', async (_, one) => {
    for (const seed of SEEDS) {
      const { status, problems } = await runCase(one, { executor: 'virtual', seed });
      expect(problems, `seed ${seed}`).toEqual([]);
      expect(status).toBe('pass');
    }
  });
});
