/** Operations about memory attributes, as public suites use them: attributes alone, since no device reaches the memory here. */

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadCaseFile } from '../../../src/scenario/case/loadCases.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

const folder = join(import.meta.dirname, '../../cases');
/** Whether the device has an address space does not matter to what is remembered. */
const binds = new Set(['bind_mirror']);

describe('managed memory, as HIP tests it', () => {
  const loaded = loadCaseFile(join(folder, 'hip-tests-managed.json'));
  const cases = loaded.map((one) => ({ ...one, steps: one.steps.filter(({ op }) => !binds.has(op)) }));
  const usable = cases.filter(({ steps }) => steps.every(({ op }) => !op.startsWith('gpu_')));
  it.each(usable.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const report = await runCase(one, { executor: 'virtual', seed: 1 });
    expect(report).toMatchObject({ status: 'pass' });
  });
});
