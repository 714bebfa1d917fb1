/** What a process has said of its memory goes with the memory, also when several threads say the first word at the same time. */

import { beforeEach, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import type { ProcessAttributes } from '../../../src/driver/attributes/processAttributes.js';
import type { Steps } from '../../../src/sim/steps.js';
import { System } from '../harness.js';

const AREA = 0x1000;
const PAGES = 16;

let system: System;
let said: ProcessAttributes;

beforeEach(() => {
  system = new System();
  system.map(AREA, PAGES);
  const { coordinator } = system;
  const attributes = coordinator.mirrors.attributesOf(coordinator.mm);
  if (attributes === null) throw new Error('the process is not mirrored');
  said = attributes;
});

/** Says something of the area, if it is there, as soon as the process's invalidations are heard of. */
function* say(ns: number): Steps<Errno> {
  yield* system.executor.sleep(ns);
  const errno = yield* said.watch();
  if (errno !== Errno.OK) return errno;
  if (said.mm.vmas.find(vpn(AREA)) === null) return Errno.EFAULT;
  said.kfd.apply(vpn(AREA), vpn(AREA + PAGES), [{ kind: 'granularity', order: 3 }]);
  return Errno.OK;
}

/** Whoever wants mmap_lock waits until then. */
function* holdMmapLock(ns: number): Steps<Errno> {
  const { mmapLock } = system.coordinator.mm;
  yield* mmapLock.read();
  yield* system.executor.sleep(ns);
  mmapLock.readUnlock();
  return Errno.OK;
}

it('is heard of by one notifier, whoever was first', () => {
  const { notifiers } = system.coordinator.mm;
  const before = notifiers.intervals;
  expect(system.runAll([holdMmapLock(100), say(10), say(20), say(30)])).toEqual([0, 0, 0, 0]);
  expect([said.isWatching, notifiers.intervals - before]).toEqual([true, 1]);
});

it('is said only once an unmapping will be heard of', () => {
  const unmap = function* (): Steps<Errno> {
    yield* system.executor.sleep(5);
    return yield* system.cpus[0].munmap(vpn(AREA), PAGES);
  };
  expect(system.runAll([holdMmapLock(100), unmap(), say(10), say(20)])).toEqual([
    0,
    0,
    Errno.EFAULT,
    Errno.EFAULT,
  ]);
  expect(said.shared.size).toBe(0);
});

it('is not said any more once the mirrors of the process are closed', () => {
  const { notifiers } = system.coordinator.mm;
  const close = function* (): Steps<Errno> {
    yield* system.executor.sleep(20);
    yield* said.close();
    return Errno.OK;
  };
  const before = notifiers.intervals;
  expect(system.runAll([holdMmapLock(100), say(10), close()])).toEqual([0, Errno.ENOENT, 0]);
  expect([said.isWatching, said.shared.size, notifiers.intervals]).toEqual([false, 0, before]);
});
