/** L3 for what is no lock: who waits for memory, a page, a fence, a callback, a worker or an eviction with the wrong lock is told so, though nobody is stuck yet. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { DmaFence } from '../../src/drm/dmaFence.js';
import { IntervalNotifier } from '../../src/mm/mirror/mmuNotifier.js';
import { pteFromWord, ptePfn } from '../../src/mm/table/pte.js';
import { LockClass } from '../../src/sim/lockOrder.js';
import { Mutex } from '../../src/sim/mutex.js';
import type { Steps } from '../../src/sim/steps.js';
import { fill, System } from './harness.js';

const AREA = 0x1000;

let system: System;

/** Where the protocol goes right: a device has had pages, they were evicted, and part of them was unmapped. */
beforeEach(() => {
  system = new System({});
  system.map(AREA, 64);
  expect(system.run(fill(system.context(0), AREA, 64, 100))).toBe(Errno.OK);
  const { vram, gpus } = system.coordinator;
  expect(system.run(vram.evictAll(gpus[0]))).toBe(Errno.OK);
  expect(system.run(fill(system.context(0), AREA, 64, 200))).toBe(Errno.OK);
  expect(system.run(system.cpus[0].munmap(vpn(AREA + 32), 32))).toBe(Errno.OK);
});

function wrong(steps: Steps<unknown>): () => void {
  return () => system.run(steps);
}

describe('the notifier lock, which callbacks take, is not held', () => {
  function* underNotifierLock(then: () => Steps<unknown>): Steps<void> {
    const [vm] = system.coordinator.vms;
    yield* vm.gpusvm.notifierLock.write();
    yield* then();
  }

  it('where memory is allocated', () => {
    const alloc = function* (): Steps<void> {
      system.coordinator.kernel.allocPage();
    };
    expect(wrong(underNotifierLock(alloc))).toThrow(
      /lock order: fs_reclaim taken under gpusvm notifier_lock/,
    );
  });

  it('where a reader may have to wait for callbacks', () => {
    const { mm } = system.coordinator;
    const sub = new IntervalNotifier(vpn(AREA), vpn(AREA + 1), { invalidate: () => answer(true) });
    expect(wrong(underNotifierLock(() => mm.notifiers.readBegin(sub)))).toThrow(
      /lock order: invalidation taken under gpusvm notifier_lock/,
    );
    expect(wrong(underNotifierLock(() => mm.notifiers.remove(sub)))).toThrow(/lock order: invalidation/);
  });

  it('where a page may be locked by who invalidates', () => {
    const { kernel, mm } = system.coordinator;
    const page = ptePfn(pteFromWord(mm.pageTable.get(AREA)));
    expect(wrong(underNotifierLock(() => kernel.folioLocks.lock(page)))).toThrow(
      /lock order: folio lock taken under gpusvm notifier_lock/,
    );
  });
});

it('mmap_lock is not taken by who has locked a page: others have it while they wait for the page', () => {
  const { kernel, mm } = system.coordinator;
  const page = ptePfn(pteFromWord(mm.pageTable.get(AREA)));
  system.run(
    (function* (): Steps<void> {
      yield* mm.mmapLock.read();
      yield* kernel.folioLocks.waitUnlocked(page);
      mm.mmapLock.readUnlock();
    })(),
  );
  const turned = function* (): Steps<void> {
    kernel.folioLocks.trylock(page);
    yield* mm.mmapLock.read();
  };
  expect(wrong(turned())).toThrow(/lock order: mmap_lock taken under folio lock/);
});

it('a fence is not waited for with a lock that its signaller takes', () => {
  const { sched } = system.coordinator.kernel;
  const fence = new DmaFence(sched, 'a test');
  const lock = new Mutex(sched, 'the lock', new LockClass('lock of a test'));
  system.run(
    (function* (): Steps<void> {
      fence.beginSignalling();
      yield* lock.lock();
      lock.unlock();
      fence.signal();
      fence.endSignalling();
    })(),
  );
  const waiter = function* (): Steps<void> {
    yield* lock.lock();
    yield* fence.wait();
  };
  expect(wrong(waiter())).toThrow(/lock order: fence taken under lock of a test/);
});

it('who signals a fence takes no lock under which others allocate', () => {
  const [vm] = system.coordinator.vms;
  const fence = new DmaFence(system.coordinator.kernel.sched, 'a test');
  const signaller = function* (): Steps<void> {
    fence.beginSignalling();
    yield* vm.svmLock.lock();
  };
  expect(wrong(signaller())).toThrow(/lock order: svm lock taken under fence, .* when taking fs_reclaim/);
});

it('who signals a fence allocates nothing: callbacks may wait for fences, and memory may have to be freed by callbacks', () => {
  const { kernel } = system.coordinator;
  const fence = new DmaFence(kernel.sched, 'a test');
  const signaller = function* (): Steps<void> {
    fence.beginSignalling();
    kernel.allocPage();
  };
  expect(wrong(signaller())).toThrow(
    'lock order: fs_reclaim taken under fence, but elsewhere fs_reclaim is held when taking invalidation is held when taking fence',
  );
});

it('the garbage collector is not flushed with the lock that it takes', () => {
  const [vm] = system.coordinator.vms;
  const flush = function* (): Steps<void> {
    yield* vm.vmLock.write();
    yield* vm.collector.waitForWorker();
  };
  expect(wrong(flush())).toThrow(/lock order: garbage collector taken under vm lock/);
});

it('an eviction takes no lock under which somebody may have to wait for it', () => {
  const { mm, gpus } = system.coordinator;
  const [allocation] = gpus[0].allocations;
  system.run(
    (function* (): Steps<void> {
      yield* mm.mmapLock.read();
      yield* allocation.beginEviction();
      allocation.endEviction();
      mm.mmapLock.readUnlock();
    })(),
  );
  const inverted = function* (): Steps<void> {
    yield* allocation.beginEviction();
    yield* mm.mmapLock.read();
  };
  expect(wrong(inverted())).toThrow(/lock order: mmap_lock taken under eviction of an allocation/);
});

function* answer<T>(value: T): Steps<T> {
  return value;
}
