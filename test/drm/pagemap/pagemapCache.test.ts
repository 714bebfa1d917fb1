/** Cache and shrinker: an unused pagemap waits to be used again, until memory is short or its device goes. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { DrmPagemap } from '../../../src/drm/pagemap/drmPagemap.js';
import { DrmPagemapCache } from '../../../src/drm/pagemap/pagemapCache.js';
import { PagemapUnhold } from '../../../src/drm/pagemap/pagemapHold.js';
import { DrmPagemapShrinker, SHRINK_EMPTY, SHRINK_STOP } from '../../../src/drm/pagemap/pagemapShrinker.js';
import { STEP, type Steps } from '../../../src/sim/steps.js';
import { actorId } from '../../../src/sim/task.js';
import { runAll } from '../../mm/harness.js';
import { DrmMachine, type TestGpu } from '../harness.js';

let drm: DrmMachine;
let gpu: TestGpu;
let shrinker: DrmPagemapShrinker;
let cache: DrmPagemapCache;
let fails: boolean;
let unhold: PagemapUnhold;
/** Pagemaps that were made because none was cached. */
let made: DrmPagemap[];

beforeEach(() => {
  drm = new DrmMachine();
  [gpu] = drm.gpus;
  shrinker = new DrmPagemapShrinker(gpu);
  cache = new DrmPagemapCache(drm.kernel.sched, shrinker);
  fails = false;
  unhold = new PagemapUnhold(drm.kernel.sched, actorId(0), () => fails);
  made = [];
});

function make(): DrmPagemap {
  const dpagemap = DrmPagemap.create(gpu, gpu.dpagemap.pagemap, gpu, unhold);
  if (typeof dpagemap === 'number') throw new Error('no memory for a pagemap');
  made.push(dpagemap);
  return dpagemap;
}

/** As a driver looks one up. */
function* findOrCreate(): Steps<DrmPagemap | Errno> {
  yield* cache.lockLookup();
  let result = yield* cache.getFromCache();
  if (result === null) {
    // Making one may sleep: the lock keeps others from making another meanwhile.
    yield STEP;
    result = make();
    cache.setPagemap(result);
  }
  cache.unlockLookup();
  return result;
}

function find(): DrmPagemap {
  const result = drm.run(findOrCreate());
  if (typeof result === 'number') throw new Error(`errno ${result}`);
  return result;
}

describe('a pagemap cache', () => {
  it('has none at first', () => {
    const dpagemap = find();
    expect([dpagemap.references, dpagemap.cache, cache.cached]).toEqual([1, cache, dpagemap]);
  });

  it('gives a reference to the one that is in use', () => {
    const dpagemap = find();
    expect(find()).toBe(dpagemap);
    expect([dpagemap.references, made.length]).toEqual([2, 1]);
  });

  it('has one made by one of several who look at the same time', () => {
    const found = runAll(drm.kernel, [findOrCreate(), findOrCreate(), findOrCreate()]);
    expect(new Set(found)).toEqual(new Set(made));
    expect([made.length, made[0].references]).toEqual([1, 3]);
  });

  it('keeps the one that nobody uses, and lets go of its device', () => {
    const before = gpu.life.references;
    const dpagemap = find();
    expect(gpu.life.references).toBe(before + 1);
    drm.run(putSteps(dpagemap));
    expect([dpagemap.references, dpagemap.destroyed, shrinker.has(dpagemap)]).toEqual([0, false, true]);
    expect(gpu.life.references).toBe(before);
  });

  it('brings it back to life', () => {
    const before = gpu.life.references;
    const dpagemap = find();
    dpagemap.put();
    expect(find()).toBe(dpagemap);
    expect([dpagemap.references, made.length, shrinker.unused]).toEqual([1, 1, 0]);
    expect(gpu.life.references).toBe(before + 1);
    dpagemap.put();
    expect(find()).toBe(dpagemap);
  });

  it('looks up quickly only what is in use', () => {
    expect(cache.getIfActive()).toBe(null);
    const dpagemap = find();
    expect(cache.getIfActive()).toBe(dpagemap);
    dpagemap.put();
    dpagemap.put();
    expect([cache.getIfActive(), shrinker.unused]).toEqual([null, 1]);
  });

  it('waits for one that is on its way out of use, and brings it back', () => {
    const dpagemap = find();
    // The last reference is gone, but it is not on the shrinker's list yet.
    let queue: (() => void) | null = null;
    dpagemap.addToShrinker = () => {
      queue = () => DrmPagemap.prototype.addToShrinker.call(dpagemap);
    };
    dpagemap.put();
    const late = function* (): Steps<void> {
      yield* drm.kernel.sched.sleep(10);
      expect([dpagemap.references, made.length]).toEqual([0, 1]);
      queue?.();
    };
    const [found] = runAll<unknown>(drm.kernel, [findOrCreate(), late()]);
    expect(found).toBe(dpagemap);
    expect([dpagemap.references, made.length]).toEqual([1, 1]);
  });

  it('has another one made when the shrinker is about to free it', () => {
    const dpagemap = find();
    dpagemap.put();
    expect(shrinker.cancel(dpagemap)).toBe(true);
    const other = find();
    expect(other).not.toBe(dpagemap);
    expect(cache.cached).toBe(other);
    dpagemap.destroy(true);
  });

  it('is -ENOMEM when it cannot be brought back, which then is gone', () => {
    const dpagemap = find();
    dpagemap.put();
    fails = true;
    expect(drm.run(findOrCreate())).toBe(Errno.ENOMEM);
    expect([dpagemap.destroyed, cache.cached, cache.isLocked, shrinker.unused]).toEqual([
      true,
      null,
      false,
      0,
    ]);
    fails = false;
    expect(find()).not.toBe(dpagemap);
  });

  it('is looked into and filled only under its lock', () => {
    expect(() => drm.run(cache.getFromCache())).toThrow();
    expect(() => cache.setPagemap(make())).toThrow();
  });
});

describe('a pagemap shrinker', () => {
  it('counts what nobody uses', () => {
    expect(shrinker.count()).toBe(SHRINK_EMPTY);
    const dpagemap = find();
    expect(shrinker.count()).toBe(SHRINK_EMPTY);
    dpagemap.put();
    expect(shrinker.count()).toBe(1);
  });

  it('stops where there is nothing', () => {
    find();
    expect(shrinker.scan(10)).toBe(SHRINK_STOP);
  });

  it('destroys what nobody uses, which its cache forgets', () => {
    const dpagemap = find();
    dpagemap.put();
    expect(shrinker.scan(1)).toBe(1);
    expect([dpagemap.destroyed, gpu.destroyed, cache.cached]).toEqual([true, [dpagemap], null]);
    expect(find()).not.toBe(dpagemap);
  });

  it('begins with what became unused first, and takes no more than it is told', () => {
    const caches = [cache, ...[1, 2].map(() => new DrmPagemapCache(drm.kernel.sched, shrinker))];
    const all = caches.map((each) => {
      cache = each;
      return find();
    });
    for (const i of [1, 2, 0]) all[i].put();
    expect([shrinker.scan(2), shrinker.count()]).toEqual([2, 1]);
    expect(all.map(({ destroyed }) => destroyed)).toEqual([false, true, true]);
    // Even who asks for none gets one.
    expect([shrinker.scan(0), shrinker.count()]).toEqual([1, SHRINK_EMPTY]);
  });
});

describe('when the device goes', () => {
  it('an unused pagemap goes with it', () => {
    const dpagemap = find();
    dpagemap.put();
    gpu.life.release();
    expect([dpagemap.destroyed, cache.cached, shrinker.unused]).toEqual([true, null, 0]);
  });

  it('one in use stays, and is destroyed by who uses it last', () => {
    const dpagemap = find();
    drm.run(gpu.life.unplug(drm.kernel.sched));
    gpu.life.release();
    expect([dpagemap.destroyed, dpagemap.references]).toEqual([false, 1]);
    dpagemap.put();
    expect([dpagemap.destroyed, shrinker.unused]).toEqual([true, 0]);
  });

  it('one that goes out of use once it is unplugged is not kept', () => {
    const dpagemap = find();
    drm.run(gpu.life.unplug(drm.kernel.sched));
    dpagemap.put();
    expect([dpagemap.destroyed, shrinker.unused]).toEqual([true, 0]);
  });
});

/** The last reference, and what comes of it. */
function* putSteps(dpagemap: DrmPagemap): Steps<void> {
  dpagemap.put();
  yield* drm.kernel.sched.sleep(1);
}
