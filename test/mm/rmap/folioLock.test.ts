/** The folio lock: who waits, who gets it, and what a report says about it. */

import { beforeEach, describe, expect, it } from 'vitest';
import type { Pfn } from '../../../src/memory/pfn.js';
import type { Kernel } from '../../../src/mm/kernel.js';
import type { Steps } from '../../../src/sim/steps.js';
import { makeKernel, run, settle, spawn } from '../harness.js';

let kernel: Kernel;
let pfn: Pfn;
let order: string[];

beforeEach(() => {
  kernel = makeKernel();
  pfn = kernel.allocPage();
  order = [];
});

function* holder(name: string, ns: number): Steps<void> {
  yield* kernel.folioLocks.lock(pfn);
  order.push(`${name} in`);
  yield* kernel.sched.sleep(ns);
  order.push(`${name} out`);
  kernel.folioLocks.unlock(pfn);
}

describe('the folio lock', () => {
  it('belongs to one task at a time; all who wait get it in the end', () => {
    for (const name of ['a', 'b', 'c']) spawn(kernel, name, holder(name, 100));
    settle(kernel);
    expect(order).toHaveLength(6);
    for (let i = 0; i < 6; i += 2) expect(order[i].replace('in', 'out')).toBe(order[i + 1]);
    expect(kernel.folios.isLocked(pfn)).toBe(false);
  });

  it('can be tried for without waiting', () => {
    const other = kernel.allocPage();
    const body = function* (): Steps<boolean[]> {
      const results = [
        kernel.folioLocks.trylock(pfn),
        kernel.folioLocks.trylock(pfn),
        kernel.folioLocks.trylock(other),
      ];
      kernel.folioLocks.unlock(pfn);
      results.push(kernel.folioLocks.trylock(pfn));
      return results;
    };
    expect(run(kernel, body())).toEqual([true, false, true, true]);
  });

  it('is released by its owner only', () => {
    const body = function* (): Steps<void> {
      kernel.folios.trylock(pfn, 4711);
      kernel.folioLocks.unlock(pfn);
    };
    expect(() => run(kernel, body())).toThrow('does not hold it');
  });

  it('of a new page is free', () => {
    const body = function* (): Steps<void> {
      kernel.folioLocks.lockNew(pfn);
      kernel.folioLocks.lockNew(pfn);
    };
    expect(() => run(kernel, body())).toThrow('locked already');
  });

  it('names its holder to whoever asks what a task waits for', () => {
    const first = spawn(kernel, 'first', holder('first', 100));
    const body = function* (): Steps<void> {
      yield* kernel.sched.sleep(10);
      const second = spawn(kernel, 'second', holder('second', 1));
      yield* kernel.sched.sleep(10);
      expect(second.waitingFor?.describeWait(second)).toContain('the lock of folio');
      expect(second.waitingFor?.holders()).toEqual([first]);
    };
    spawn(kernel, 'asker', body());
    settle(kernel);
    expect(order).toEqual(['first in', 'first out', 'second in', 'second out']);
  });
});

describe('waiting for an unlock', () => {
  it('ends with the unlock, without the lock', () => {
    spawn(kernel, 'holder', holder('holder', 100));
    const waiter = function* (): Steps<void> {
      yield* kernel.sched.sleep(10);
      yield* kernel.folioLocks.waitUnlocked(pfn);
      order.push(`free at ${kernel.sched.now()}`);
      expect(kernel.folios.isLocked(pfn)).toBe(false);
    };
    spawn(kernel, 'waiter', waiter());
    settle(kernel);
    expect(order).toEqual(['holder in', 'holder out', 'free at 100']);
  });

  it('does not begin when the page is free', () => {
    run(kernel, kernel.folioLocks.waitUnlocked(pfn));
    expect(kernel.sched.now()).toBe(0);
  });
});
