/** Reservations taken together in any order, by tasks that would deadlock with plain locks. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { DmaFence } from '../../../src/drm/dmaFence.js';
import { DmaResv, DmaResvUsage } from '../../../src/drm/exec/dmaResv.js';
import { DrmExec, DrmExecFlag } from '../../../src/drm/exec/drmExec.js';
import { GemObject } from '../../../src/drm/gpuvm/gemObject.js';
import type { Steps } from '../../../src/sim/steps.js';
import { Bench } from '../../sim/harness.js';

function objectsOf(bench: Bench, count: number): GemObject[] {
  return Array.from(
    { length: count },
    (_, i) => new GemObject(`bo${i}`, 1, new DmaResv(bench.sched, `resv${i}`)),
  );
}

describe('DrmExec', () => {
  it('gets all objects to everybody, though each takes them in an order of its own, under any schedule', () => {
    for (let seed = 0; seed < 150; seed++) {
      const bench = new Bench(seed);
      const objects = objectsOf(bench, 3);
      let inside = 0;
      let retries = 0;
      const submit = function* (order: readonly number[]): Steps<void> {
        const exec = new DrmExec();
        const errno = yield* exec.untilAllLocked(function* () {
          for (const i of order) {
            yield* bench.steps(2);
            const locked = yield* exec.lockObj(objects[i]);
            if (locked !== Errno.OK) {
              retries++;
              return locked;
            }
          }
          return Errno.OK;
        });
        expect([errno, exec.lockedObjects.length]).toEqual([Errno.OK, 3]);
        inside++;
        yield* bench.steps(2);
        expect(inside).toBe(1);
        inside--;
        exec.fini();
      };
      bench.run(submit([0, 1, 2]), submit([2, 1, 0]), submit([1, 2, 0]));
      expect(retries).toBeLessThan(30);
      expect(objects.map(({ refCount }) => refCount)).toEqual([1, 1, 1]);
    }
  });

  it('lets the younger back off, with everything released, and begin with what it could not have', () => {
    const bench = new Bench();
    const [a, b] = objectsOf(bench, 2);
    const elder = new DrmExec();
    const younger = new DrmExec();
    bench.run(
      (function* (): Steps<void> {
        yield* elder.lockObj(a);
        yield* bench.sched.sleep(100);
        yield* elder.lockObj(b);
        bench.say('elder has both');
        elder.fini();
      })(),
      bench.after(
        10,
        (function* (): Steps<void> {
          yield* younger.untilAllLocked(function* () {
            const errno = yield* younger.lockObj(b);
            bench.say(`younger: b ${errno}`);
            const second = yield* younger.lockObj(a);
            bench.say(`younger: a ${second}`);
            return second;
          });
          expect(younger.lockedObjects).toEqual([a, b]);
          younger.fini();
        })(),
      ),
    );
    const { EDEADLK, OK } = Errno;
    expect(bench.log).toEqual([
      `younger: b ${OK}`,
      `younger: a ${EDEADLK}`,
      'elder has both',
      `younger: b ${OK}`,
      `younger: a ${OK}`,
    ]);
  });

  it('lets the younger wait for its first object, as it has nothing that anybody could wait for', () => {
    const bench = new Bench();
    const [a] = objectsOf(bench, 1);
    const elder = new DrmExec();
    const younger = new DrmExec();
    bench.run(
      (function* (): Steps<void> {
        yield* elder.lockObj(a);
        yield* bench.sched.sleep(100);
        bench.say('elder is done');
        elder.fini();
      })(),
      bench.after(
        10,
        (function* (): Steps<void> {
          bench.say(`younger: ${yield* younger.lockObj(a)}`);
          younger.fini();
        })(),
      ),
    );
    expect(bench.log).toEqual(['elder is done', `younger: ${Errno.OK}`]);
  });

  it('is waited for by who locks a single object without a ticket', () => {
    const bench = new Bench();
    const [a] = objectsOf(bench, 1);
    const exec = new DrmExec();
    const order: string[] = [];
    bench.run(
      (function* (): Steps<void> {
        yield* exec.lockObj(a);
        yield* bench.sched.sleep(100);
        order.push('submission');
        exec.fini();
      })(),
      (function* (): Steps<void> {
        yield* bench.sched.sleep(50);
        const { resv } = a;
        if (!(resv instanceof DmaResv)) throw new Error('another reservation');
        expect(yield* resv.lock()).toBe(Errno.OK);
        order.push('single');
        resv.unlock();
      })(),
    );
    expect(order).toEqual(['submission', 'single']);
  });

  it('takes an object that it has for an error, unless told otherwise', () => {
    const bench = new Bench();
    const [a] = objectsOf(bench, 1);
    const strict = new DrmExec();
    const lenient = new DrmExec(DrmExecFlag.IgnoreDuplicates);
    bench.run(
      (function* (): Steps<void> {
        yield* strict.lockObj(a);
        expect(yield* strict.lockObj(a)).toBe(Errno.EALREADY);
        strict.fini();
        yield* lenient.lockObj(a);
        expect(yield* lenient.prepareArray([a, a], 1)).toBe(Errno.OK);
        expect(lenient.lockedObjects).toEqual([a]);
        lenient.fini();
      })(),
    );
  });
});

describe('DmaResv', () => {
  it('has room for as many fences as were reserved, and makes each kind of waiter wait for its own', () => {
    const bench = new Bench();
    const resv = new DmaResv(bench.sched, 'resv');
    const kernel = new DmaFence(bench.sched, 'move');
    const read = new DmaFence(bench.sched, 'read');
    bench.run(
      (function* (): Steps<void> {
        yield* resv.lock();
        expect(() => resv.addFence(kernel, DmaResvUsage.Kernel)).toThrow(/no place/);
        resv.reserveFences(2);
        resv.addFence(kernel, DmaResvUsage.Kernel);
        resv.addFence(read, DmaResvUsage.Read);
        expect(() => resv.addFence(read, DmaResvUsage.Read)).toThrow(/no place/);
        resv.unlock();
        expect(resv.fences(DmaResvUsage.Write)).toEqual([kernel]);
        expect(resv.fences(DmaResvUsage.Bookkeep)).toEqual([kernel, read]);
        kernel.signal();
        yield* resv.wait(DmaResvUsage.Write);
        expect([resv.isIdle(DmaResvUsage.Write), resv.isIdle(DmaResvUsage.Read)]).toEqual([true, false]);
        read.signal();
      })(),
    );
    expect(resv.isIdle(DmaResvUsage.Bookkeep)).toBe(true);
  });
});
