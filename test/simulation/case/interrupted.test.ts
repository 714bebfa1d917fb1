/** A case that computes for long hears a signal while it runs, and is the same case for it. */

import { expect, it } from 'vitest';
import { caseSchema } from '../../../src/case/caseSchema.js';
import { caseMachine } from '../../../src/simulation/case/caseMachine.js';
import { runCase } from '../../../src/simulation/case/runCase.js';
import { VirtualCase } from '../../../src/simulation/case/virtualCase.js';

/** Much longer than the event loop is kept waiting. */
const ROUNDS = 300_000;

function counting(rounds: number) {
  const add = { op: 'cpu_add32', args: { buf: 'A', dword: 0, value: 1 } };
  return caseSchema.parse({
    suite: 's',
    name: 'n',
    steps: [
      { op: 'mmap', args: { buf: 'A', pages: 1, prot: 'rw' } },
      { op: 'repeat', args: { count: rounds, steps: [add] } },
      { op: 'cpu_load32', args: { buf: 'A', dword: 0 }, as: 'l' },
    ],
    expect: [{ type: 'value', step: 'l', value: rounds }],
  });
}

it('one signal ends a case within one of its steps', async () => {
  const controller = new AbortController();
  setImmediate(() => controller.abort());
  const { signal } = controller;
  const run = runCase(counting(ROUNDS), { executor: 'virtual', seed: 1, signal });
  await expect(run).rejects.toThrow(/abort/i);
});

it('turns of the event loop change nothing of what is simulated', async () => {
  const one = counting(20_000);
  const config = caseMachine(one, 'virtual', 1);
  const [plain, polite] = [new VirtualCase(one, config), new VirtualCase(one, config)];
  expect(await polite.runPolitely(undefined)).toEqual(plain.run());
  expect(polite.machine.executor.steps).toBe(plain.machine.executor.steps);
});
