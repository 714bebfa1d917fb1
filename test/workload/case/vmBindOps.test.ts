/** A GPU's own addresses: what is put there as it is, and how far they reach. */

import { describe, expect, it } from 'vitest';
import { passes, runSteps } from './runSteps.js';

const LAST = 2 ** 33;

const insert = (as: string, start: number, end: number, bo: string | null = 'x') => ({
  op: 'gpuvm_insert',
  args: { start, end, bo, bo_off: 0 },
  as,
});
const store = (as: string, page: number) => ({ op: 'gpu_store_va', args: { page, value: 7 }, as });
const ret = (step: string, value: number | string) => ({ type: 'ret', step, value });

describe('a mapping that is put into an address space', () => {
  it('is refused where there is one, which stays as it is', async () => {
    const steps = [insert('a', 10, 20), insert('within', 12, 14, 'y'), insert('across', 15, 25, null)];
    const vas = [[10, 20, 'x', 0]];
    expect(
      await runSteps(steps, [
        ret('a', 0),
        ret('within', '-EEXIST'),
        { type: 'vas', after: 'within', vas },
        { type: 'vm_ops', step: 'within', ops: [] },
        ret('across', '-EEXIST'),
        { type: 'vas', after: 'across', vas },
      ]),
    ).toEqual(passes);
  });

  it('may lie beside another one, also where everything is a mirror', async () => {
    const steps = [
      { op: 'bind_mirror', args: { dev: 'gpu0' } },
      insert('a', 10, 20),
      insert('b', 20, 24, 'y'),
    ];
    const vas = [
      [10, 20, 'x', 0],
      [20, 24, 'y', 0],
    ];
    expect(await runSteps(steps, [ret('b', 0), { type: 'vas', after: 'b', vas }])).toEqual(passes);
  });
});

describe('addresses', () => {
  it.each([2 ** 30, 2 ** 32, LAST - 2])('from page %i on are as good as others', async (page) => {
    const load = { op: 'bo_load32', args: { bo: 'x', page: 1 }, as: 'l' };
    const steps = [
      { op: 'gpuvm_bind_bo', args: { start: page, end: page + 2, bo: 'x', bo_off: 0 }, as: 'b' },
      store('s', page + 1),
      load,
    ];
    const vas = [[page, page + 2, 'x', 0]];
    expect(
      await runSteps(steps, [
        ret('b', 0),
        { type: 'vas', after: 'b', vas },
        ret('s', 0),
        { type: 'value', step: 'l', value: 7 },
      ]),
    ).toEqual(passes);
  });

  it('at which nothing is are refused alike', async () => {
    const steps = [insert('a', 0, 1), store('near', 5), store('far', LAST - 1), store('end', LAST)];
    const faults = ['near', 'far', 'end'].map((step) => ret(step, '-EFAULT'));
    expect(await runSteps(steps, faults)).toEqual(passes);
  });

  it('end where the buffers of a case do', async () => {
    await expect(runSteps([store('s', LAST + 1)], [])).rejects.toThrow(`at most ${LAST}`);
  });
});
