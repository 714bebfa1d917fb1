/** kfdtest's SVM cases as the suite runs them: once with devices that serve faults, and once with devices that do not. */

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Case, caseSchema } from '../../../src/case/caseSchema.js';
import type { Step } from '../../../src/case/opSchemas.js';
import { loadCaseFile } from '../../../src/scenario/case/loadCases.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

const BOTH_MODES = 'XNACK off and XNACK on';
const cases = loadCaseFile(fileURLToPath(new URL('../../cases/kfdtest-svm.json', import.meta.url)));
const titled = cases.map((one, i) => [`${i}: ${[one.name, one.variant].join(' ').trim()}`, one] as const);

/** Each process sets its mode once it has its devices, before it does anything else. */
function inMode(steps: readonly Step[], enabled: boolean): Step[] {
  const inner = steps.map((step) => innerInMode(step, enabled));
  const last = inner.findLastIndex(({ op }) => op === 'bind_mirror');
  if (last < 0) return inner;
  return [...inner.slice(0, last + 1), { op: 'set_xnack', args: { enabled } }, ...inner.slice(last + 1)];
}

function innerInMode(step: Step, enabled: boolean): Step {
  if (step.op !== 'repeat_processes') return step;
  return { ...step, args: { ...step.args, steps: inMode(step.args.steps, enabled) } };
}

async function outcome(one: Case, enabled: boolean): Promise<unknown[]> {
  const steps = inMode(one.steps, enabled);
  const { status, problems, missing } = await runCase({ ...one, steps }, { executor: 'virtual', seed: 1 });
  return [status, missing, problems.slice(0, 3)];
}

it('every case of the suite is one that asks for both', () => {
  expect(cases.length).toBeGreaterThan(20);
  expect(cases.filter(({ notes }) => !(notes ?? '').includes(BOTH_MODES))).toEqual([]);
});

describe.each([true, false])('faults served: %s', (enabled) => {
  it.each(titled)('%s', async (_, one) => {
    expect(await outcome(one, enabled)).toEqual(['pass', null, []]);
  });
});

describe('memory that nobody has registered', () => {
  const buffer = { proc: 'p0', buf: 'A' };
  const expecting = (ret: number | string): Case =>
    caseSchema.parse({
      suite: 'own',
      name: 'not registered',
      source: { repo: 'svmsim', path: 'test', commit: '0' },
      needs: [],
      deterministic: true,
      steps: [
        { op: 'bind_mirror', args: { proc: 'p0', dev: 'gpu0' } },
        { op: 'mmap', args: { ...buffer, pages: 1, prot: 'rw', share: 'private', backing: 'anon' } },
        { op: 'gpu_store32', args: { ...buffer, dev: 'gpu0', dword: 0, value: 1 }, as: 'w' },
      ],
      expect: [{ type: 'ret', step: 'w', value: ret }],
    });

  it('is reached by devices that serve faults', async () => {
    expect(await outcome(expecting(0), true)).toEqual(['pass', null, []]);
  });

  it('is out of reach of those that do not', async () => {
    expect(await outcome(expecting('-EFAULT'), false)).toEqual(['pass', null, []]);
  });
});
