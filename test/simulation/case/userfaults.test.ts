/** Public cases in which a handler in user space fills what a device reads. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { caseFileSchema } from '../../../src/case/caseSchema.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

describe('linux-hmm-selftests with userfaultfd', () => {
  const text = readFileSync(new URL('../../cases/linux-hmm-selftests.json', import.meta.url), 'utf8');
  const cases = caseFileSchema.parse(JSON.parse(text)).filter(({ name }) => name.startsWith('userfaultfd'));

  it.each(cases)('$name $variant', async (one) => {
    const { status, problems, missing } = await runCase(one, { executor: 'virtual', seed: 1 });
    expect([status, missing, problems.slice(0, 3)]).toEqual(['pass', null, []]);
  });

  it('are filled also when memory is short for a moment', async () => {
    const { problems, failures } = await runCase(cases[0], {
      executor: 'virtual',
      seed: 1,
      failures: { stride: 1 },
    });
    expect(problems).toEqual([]);
    expect(failures?.runs).toBeGreaterThan(4);
  });

  it('are refused where the device keeps the lock', async () => {
    for (const one of cases) {
      const steps = one.steps.map((step) =>
        step.op === 'gpu_read' ? { ...step, args: { ...step.args, allow_lock_drop: false } } : step,
      );
      const { status } = await runCase({ ...one, steps }, { executor: 'virtual', seed: 1 });
      expect(status).toBe('fail');
    }
  });
});
