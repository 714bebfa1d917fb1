/** The references of a pagemap, what they keep alive, and where it goes when the last one is gone. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { type Vpn, vpn } from '../../../src/base/units.js';
import { DrmPagemap, type DrmPagemapOps } from '../../../src/drm/pagemap/drmPagemap.js';
import { PagemapUnhold } from '../../../src/drm/pagemap/pagemapHold.js';
import type { Steps } from '../../../src/sim/steps.js';
import { actorId } from '../../../src/sim/task.js';
import { runAll } from '../../mm/harness.js';
import { DrmMachine, type TestGpu } from '../harness.js';

let drm: DrmMachine;
let a: TestGpu;
let b: TestGpu;

beforeEach(() => {
  drm = new DrmMachine();
  [a, b] = drm.gpus;
});

/** Lets everything run that was started. */
function settle(): void {
  drm.run(drm.kernel.sched.sleep(1));
}

/** References on device and module; the driver that is bound to the device has one of each. */
function lives({ life }: TestGpu): [number, number] {
  return [life.references, life.moduleReferences];
}

function create(gpu: TestGpu = a, ops: DrmPagemapOps = gpu): DrmPagemap {
  const dpagemap = DrmPagemap.create(gpu, gpu.dpagemap.pagemap, ops, drm.unhold);
  if (typeof dpagemap === 'number') throw new Error('no memory for a pagemap');
  return dpagemap;
}

describe('the references of a pagemap', () => {
  it('begin with that of who made it, and the last one destroys it', () => {
    const dpagemap = create();
    expect(dpagemap.references).toBe(1);
    expect(dpagemap.get()).toBe(dpagemap);
    dpagemap.put();
    expect([dpagemap.references, dpagemap.destroyed, a.destroyed]).toEqual([1, false, []]);
    dpagemap.put();
    expect([dpagemap.references, dpagemap.destroyed, a.destroyed]).toEqual([0, true, [dpagemap]]);
  });

  it('are not had of one that nobody refers to', () => {
    const dpagemap = create();
    expect(dpagemap.getUnlessZero()).toBe(dpagemap);
    expect(dpagemap.references).toBe(2);
    dpagemap.put();
    dpagemap.put();
    expect(dpagemap.getUnlessZero()).toBe(null);
    expect(() => dpagemap.get()).toThrow('is gone');
    expect(() => dpagemap.put()).toThrow('once too often');
  });

  it('cannot be given anew to one in use, nor to one that is destroyed', () => {
    const dpagemap = create();
    expect(() => dpagemap.reinit()).toThrow('in use');
    dpagemap.put();
    expect(() => dpagemap.reinit()).toThrow('in use');
    expect(() => dpagemap.destroy(false)).toThrow('or twice');
  });

  it('tell the driver that it may not sleep when it destroys', () => {
    const seen: boolean[] = [];
    const { deviceMap, deviceUnmap, populateMm } = a;
    const destroy = (_: DrmPagemap, isAtomicOrReclaim: boolean): void => void seen.push(isAtomicOrReclaim);
    create(a, { deviceMap, deviceUnmap, populateMm, destroy }).put();
    expect(seen).toEqual([true]);
  });

  it('need no driver that destroys', () => {
    const { deviceMap, deviceUnmap, populateMm } = a;
    const dpagemap = create(a, { deviceMap, deviceUnmap, populateMm });
    dpagemap.put();
    expect(dpagemap.destroyed).toBe(true);
  });
});

describe('a pagemap keeps its device and the module of its driver', () => {
  it('from the first reference to the last, once each', () => {
    const [device, module] = lives(a);
    const dpagemap = create();
    expect(lives(a)).toEqual([device + 1, module + 1]);
    dpagemap.get();
    expect(lives(a)).toEqual([device + 1, module + 1]);
    dpagemap.put();
    dpagemap.put();
    settle();
    expect(lives(a)).toEqual([device, module]);
  });

  it('until a task of its own lets go: the last reference may go in code of that very module', () => {
    const before = lives(a);
    const dpagemap = create();
    const last = function* (): Steps<[number, number]> {
      dpagemap.put();
      return lives(a);
    };
    expect(drm.run(last())).toEqual([before[0] + 1, before[1] + 1]);
    expect([lives(a), drm.unhold.pending]).toEqual([before, 0]);
  });

  it('in one task for all that went meanwhile', () => {
    const before = lives(a);
    for (const dpagemap of [create(), create(), create()]) dpagemap.put();
    expect([drm.unhold.pending, drm.kernel.sched.tasks.size]).toEqual([3, 1]);
    settle();
    expect([drm.unhold.pending, lives(a)]).toEqual([0, before]);
    expect(drm.unhold.live.size).toBe(drm.gpus.length);
  });

  it('as long as there is one of its pages, whoever has unbound the driver', () => {
    drm.mapFilled(0x1000, 4);
    expect(drm.run(a.migrateHere(0x1000, 4))).toBe(Errno.OK);
    a.dpagemap.put();
    a.life.release();
    settle();
    expect([a.dpagemap.references, lives(a)]).toEqual([1, [1, 1]]);
    expect(drm.run(drm.migrate.evictToRam(a.live[0]))).toBe(Errno.OK);
    settle();
    expect([a.dpagemap.references, a.destroyed, lives(a)]).toEqual([0, [a.dpagemap], [0, 0]]);
  });

  it('is -ENOMEM without memory for that', () => {
    const unhold = new PagemapUnhold(drm.kernel.sched, actorId(0), () => true);
    const before = lives(a);
    expect(DrmPagemap.create(a, a.dpagemap.pagemap, a, unhold)).toBe(Errno.ENOMEM);
    expect(lives(a)).toEqual(before);
  });
});

describe('the life of a device', () => {
  it('is over for who comes when it is unplugged', () => {
    expect(a.life.enter()).toBe(true);
    a.life.exit();
    drm.run(a.life.unplug(drm.kernel.sched));
    expect([a.life.enter(), a.life.isUnplugged, b.life.enter()]).toEqual([false, true, true]);
    expect(() => a.life.exit()).toThrow('nobody began');
  });

  it('waits with that for who is there', () => {
    const order: string[] = [];
    const user = function* (name: string, ns: number): Steps<void> {
      expect(a.life.enter()).toBe(true);
      yield* drm.kernel.sched.sleep(ns);
      order.push(name);
      a.life.exit();
    };
    const unplug = function* (): Steps<void> {
      yield* drm.kernel.sched.sleep(1);
      yield* a.life.unplug(drm.kernel.sched);
      order.push('unplugged');
    };
    const late = function* (): Steps<void> {
      yield* drm.kernel.sched.sleep(2);
      order.push(`late: ${a.life.enter()}`);
    };
    runAll(drm.kernel, [user('short', 5), user('long', 10), unplug(), late()]);
    expect(order).toEqual(['late: false', 'short', 'long', 'unplugged']);
  });

  it('undoes last what was done first', () => {
    const order: number[] = [];
    for (const i of [1, 2, 3]) a.life.addAction(() => order.push(i));
    a.life.release();
    expect(order).toEqual([3, 2, 1]);
  });
});

describe('populate_mm', () => {
  const start = vpn(0x1000);

  it('is -EFAULT when the address space is going', () => {
    drm.mm.users = 0;
    expect(drm.run(a.dpagemap.populateMm(drm.mm, start, vpn(start + 4), 0))).toBe(Errno.EFAULT);
  });

  it('calls the driver as a user of the address space, under mmap_lock for read', () => {
    const seen: unknown[] = [];
    const populateMm = function* (_: DrmPagemap, mm: typeof drm.mm, from: Vpn, to: Vpn): Steps<Errno> {
      mm.mmapLock.assertHeld();
      seen.push(mm.users, from, to);
      return Errno.ENOSPC;
    };
    const { deviceMap, deviceUnmap } = a;
    const dpagemap = create(a, { deviceMap, deviceUnmap, populateMm });
    expect(drm.run(dpagemap.populateMm(drm.mm, start, vpn(start + 4), 0))).toBe(Errno.ENOSPC);
    expect(seen).toEqual([2, start, start + 4]);
    expect([drm.mm.users, drm.mm.mmapLock.isLocked]).toEqual([1, false]);
    dpagemap.put();
  });

  it('brings the span to the device', () => {
    drm.mapFilled(start, 4);
    expect(drm.run(a.dpagemap.populateMm(drm.mm, start, vpn(start + 4), 0))).toBe(Errno.OK);
    expect(new Set(drm.places(start, 4))).toEqual(new Set(['vram0']));
  });
});
