/** An observer counts, measures and records what it is told, where others can read it. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { DeviceStep } from '../../src/device/deviceStep.js';
import { DriverStep } from '../../src/driver/driverStep.js';
import { GpuSvmStep } from '../../src/drm/gpusvm/gpusvmStep.js';
import { PagemapStep } from '../../src/drm/pagemap/pagemapStep.js';
import { NotifierStep, NotifyEvent } from '../../src/mm/mirror/mmuNotifier.js';
import {
  ActorObserver,
  ObserverBuffers,
  StepOrder,
  wallClockOffsetNs,
} from '../../src/observe/actorObserver.js';
import { deviceKey, errnoKey, Meters } from '../../src/observe/meters.js';
import {
  faultServiceLatency,
  faultStallLatency,
  invalidationLatency,
  migrationLatencies,
  Observation,
  tlbInvalidationLatency,
} from '../../src/observe/observation.js';
import { RunObserver } from '../../src/observe/runObserver.js';
import { PARK, type StepId } from '../../src/sim/steps.js';
import { actorId, Task } from '../../src/sim/task.js';

class TestClock {
  timeNs = 0;
  slice = 0;
  now(): number {
    return this.timeNs;
  }
}

const clock = new TestClock();
const PAGE = vpn(0x7_1234_5678);

function task(id: number, actor: number): Task {
  return new Task(id, actorId(actor), `task${id}`, noSteps(), false);
}

function* noSteps(): Generator<StepId, void, void> {}

function observed(actors = 1): { buffers: ObserverBuffers; observers: ActorObserver[]; seen: Observation } {
  const buffers = ObserverBuffers.allocate(actors);
  const observers = Array.from({ length: actors }, (_, i) => new ActorObserver(buffers, i, clock));
  return { buffers, observers, seen: new Observation(buffers) };
}

describe('actor observer', () => {
  it('counts each step and sums its arguments', () => {
    const { observers, seen } = observed();
    observers[0].onStep(null, NotifierStep.invStart, PAGE, 16, NotifyEvent.Clear, 1);
    observers[0].onStep(null, NotifierStep.invStart, PAGE, 4, NotifyEvent.Unmap, 1);
    observers[0].onStep(null, PARK, 0, 0, 0, 0);
    expect(seen.count(NotifierStep.invStart)).toBe(2);
    expect(seen.sum(NotifierStep.invStart, 'npages')).toBe(20);
    expect(seen.count(NotifierStep.invEnd)).toBe(0);
    expect(seen.steps()).toBe(3);
  });

  it('tells devices, events and errnos apart', () => {
    const { observers, seen } = observed();
    const [observer] = observers;
    observer.onStep(null, DriverStep.faultDone, PAGE, 0, Errno.OK, 1000);
    observer.onStep(null, DriverStep.faultDone, PAGE, 63, Errno.EFAULT, 3000);
    observer.onStep(null, NotifierStep.invStart, PAGE, 8, NotifyEvent.Migrate, 1);
    observer.onStep(null, GpuSvmStep.getPagesRetry, PAGE, 8, 2, Errno.EAGAIN);
    observer.onStep(null, PagemapStep.copied, PAGE, 8, -1, 500);
    expect(seen.metered(Meters.gpuFault, deviceKey(0))).toBe(1);
    expect(seen.metered(Meters.gpuFault, deviceKey(63))).toBe(1);
    expect(seen.meteredSum(Meters.gpuFault, deviceKey(63))).toBe(3000);
    expect(seen.metered(Meters.gpuFaultErrno, errnoKey(Errno.EFAULT))).toBe(1);
    expect(seen.meteredSum(Meters.invalidationStart, NotifyEvent.Migrate)).toBe(8);
    expect(seen.metered(Meters.getPagesRetry, errnoKey(Errno.EAGAIN))).toBe(1);
    expect(seen.meteredSum(Meters.copiedPages, deviceKey(-1))).toBe(8);
  });

  it('counts evictions that failed as no evictions', () => {
    const { observers, seen } = observed();
    const [observer] = observers;
    observer.onStep(null, PagemapStep.evictDone, 1, 8, Errno.OK, 1000);
    observer.onStep(null, PagemapStep.evictDone, 1, 8, Errno.EBUSY, 1000);
    expect(seen.metered(Meters.evicted, deviceKey(1))).toBe(1);
    expect(seen.metered(Meters.evictionErrno, errnoKey(Errno.EBUSY))).toBe(1);
  });

  it('counts a device or an errno that it cannot tell apart as unknown', () => {
    const { observers, seen } = observed();
    observers[0].onStep(null, DriverStep.retry, PAGE, 64, -99, 0);
    expect(seen.metered(Meters.gpuFaultRetry, 0)).toBe(1);
    expect(seen.metered(Meters.gpuFaultRetryDevice, 0)).toBe(1);
  });

  it('keeps latencies per device and for the run', () => {
    const { observers, seen } = observed(2);
    observers[0].onStep(null, DriverStep.faultDone, PAGE, 1, Errno.OK, 1000);
    observers[0].onStep(null, DriverStep.tlbInvalidated, PAGE, 8, 1, 2000);
    observers[0].onStep(null, NotifierStep.invStarted, PAGE, 8, NotifyEvent.Unmap, 3000);
    observers[1].onStep(null, NotifierStep.invStarted, PAGE, 8, NotifyEvent.Unmap, 9000);
    observers[1].onStep(null, DeviceStep.faultServed, 1, PAGE, Errno.OK, 4000);
    observers[0].onStep(null, PagemapStep.toDevmemDone, PAGE, 8, 1, 5000);
    observers[0].onStep(null, PagemapStep.toRamDone, PAGE, 8, Errno.OK, 6000);
    observers[0].onStep(null, PagemapStep.evictDone, 1, 8, Errno.OK, 7000);
    expect(faultServiceLatency(seen, 1)).toMatchObject({ count: 1, maxNs: 1000, p50Ns: 1000 });
    expect(faultServiceLatency(seen, 0).count).toBe(0);
    expect(faultStallLatency(seen, 1).maxNs).toBe(4000);
    expect(tlbInvalidationLatency(seen, 1).maxNs).toBe(2000);
    expect(invalidationLatency(seen)).toMatchObject({ count: 2, meanNs: 6000, maxNs: 9000 });
    const { toDevice, toRam, eviction } = migrationLatencies(seen);
    expect([toDevice.maxNs, toRam.maxNs, eviction.maxNs]).toEqual([5000, 6000, 7000]);
    expect(seen.latency(Meters.gpuFault).count).toBe(1);
  });

  it('records steps with arguments and counts the others only', () => {
    const { observers } = observed();
    clock.timeNs = 77;
    observers[0].onStep(task(5, 0), DriverStep.retry, PAGE, 1, Errno.EBUSY, 0);
    observers[0].onStep(null, PARK, 0, 0, 0, 0);
    const recorded = observers[0].section.recorder.last(10);
    expect(recorded).toHaveLength(1);
    expect(recorded[0]).toMatchObject({ timeNs: 77, task: 5, args: [PAGE, 1, Errno.EBUSY, 0] });
  });

  it('reads a wall clock again after a few steps of one task, and a simulated one for each', () => {
    const sameTask = task(5, 0);
    for (const [order, atMost] of [
      [null, 8],
      [new StepOrder(), 1],
    ] as const) {
      const observer = new ActorObserver(ObserverBuffers.allocate(1), 0, clock, 0, order);
      for (clock.timeNs = 0; clock.timeNs < 40; clock.timeNs++)
        observer.onStep(sameTask, DriverStep.retry, PAGE, 0, 0, 0);
      const late = observer.section.recorder.last(40).map(({ timeNs }, i) => i - timeNs);
      expect(Math.min(...late)).toBe(0);
      expect(Math.max(...late)).toBeLessThan(atMost);
    }
  });

  it('reads it for a task that has waited, whatever it did before', () => {
    const sameTask = task(5, 0);
    const observer = new ActorObserver(ObserverBuffers.allocate(1), 0, clock);
    for (const [slice, timeNs] of [
      [1, 10],
      [1, 11],
      [2, 500],
    ] as const) {
      clock.slice = slice;
      clock.timeNs = timeNs;
      observer.onStep(sameTask, DriverStep.retry, PAGE, 0, 0, 0);
    }
    expect(observer.section.recorder.last(3).map(({ timeNs }) => timeNs)).toEqual([10, 10, 500]);
  });

  it('can be read through another view of the same buffer', () => {
    const { buffers, observers } = observed(3);
    observers[2].onStep(null, DriverStep.faultDone, PAGE, 0, Errno.OK, 1000);
    const elsewhere = new Observation(new ObserverBuffers(buffers.buffer));
    expect(elsewhere.steps(2)).toBe(1);
    expect(elsewhere.steps(0)).toBe(0);
    expect(faultServiceLatency(elsewhere, 0).count).toBe(1);
  });

  it('refuses a buffer that does not hold whole sections, and an actor that has none', () => {
    expect(() => new ObserverBuffers(new SharedArrayBuffer(100))).toThrow('wrong size');
    expect(() => ObserverBuffers.allocate(2).section(2)).toThrow('actor 2');
  });

  it('makes the clocks of threads comparable', () => {
    const offset = wallClockOffsetNs({ now: () => 5e9 });
    expect(Math.abs(offset + 5e9 - Date.now() * 1e6)).toBeLessThan(1e9);
  });
});

describe('run observer', () => {
  it('hands each step to the actor of its task, and steps between tasks to the default one', () => {
    const buffers = ObserverBuffers.allocate(3);
    const observer = new RunObserver(buffers, clock, 1);
    observer.onStep(task(1, 0), DriverStep.retry, PAGE, 0, Errno.EBUSY, 0);
    observer.onStep(task(2, 2), DriverStep.retry, PAGE, 0, Errno.EBUSY, 0);
    observer.onStep(null, DriverStep.retry, PAGE, 0, Errno.EBUSY, 0);
    observer.onStep(null, DriverStep.retry, PAGE, 0, Errno.EBUSY, 0);
    const seen = new Observation(buffers);
    expect([seen.steps(0), seen.steps(1), seen.steps(2)]).toEqual([1, 2, 1]);
    expect(() => new RunObserver(buffers, clock, 3)).toThrow('default actor');
  });
});
