/** The last events on a page are those of all actors that touch it, in order, as readable lines. */

import { describe, expect, it } from 'vitest';
import { CpuMessage } from '../../src/actors/messages.js';
import { Errno } from '../../src/base/errno.js';
import { formatVpn, type Vpn, vpn } from '../../src/base/units.js';
import { DeviceStep } from '../../src/device/deviceStep.js';
import { inSpace, spaceId } from '../../src/device/gpuSpace.js';
import { DriverStep } from '../../src/driver/driverStep.js';
import { GpuSvmStep } from '../../src/drm/gpusvm/gpusvmStep.js';
import { PagemapStep } from '../../src/drm/pagemap/pagemapStep.js';
import { pfn } from '../../src/memory/pfn.js';
import { MmapStep } from '../../src/mm/area/mmap.js';
import { CowStep } from '../../src/mm/fault/copyOnWrite.js';
import { NotifierStep, NotifyEvent } from '../../src/mm/mirror/mmuNotifier.js';
import { MoveStep } from '../../src/mm/table/movePageTables.js';
import { ActorObserver, ObserverBuffers, StepOrder } from '../../src/observe/actorObserver.js';
import { LastEvents } from '../../src/observe/lastEvents.js';
import { PortStep } from '../../src/sim/port.js';
import { defineStep } from '../../src/sim/steps.js';

const names = ['coordinator', 'gpu0', 'cpu0'];
const PAGE = vpn(0x7_1234_5678);

function setUp(offsets: readonly number[] = [0, 0, 0]): {
  events: LastEvents;
  buffers: ObserverBuffers;
  observers: ActorObserver[];
  clock: { timeNs: number };
} {
  const buffers = ObserverBuffers.allocate(names.length);
  const clock = { timeNs: 0, slice: 0, now: () => clock.timeNs };
  const order = new StepOrder();
  const observers = names.map((_, i) => new ActorObserver(buffers, i, clock, offsets[i], order));
  return { events: new LastEvents(buffers, names, 'wall'), buffers, observers, clock };
}

/** Names of the steps that are found for a page. */
function found(events: LastEvents, page: Vpn): string[] {
  return events.touching({ page }).map((line) => / ([a-z]+\.[A-Za-z]+) /.exec(line)?.[1] ?? line);
}

describe('last events on a page', () => {
  it('are those whose span holds it', () => {
    const { events, observers } = setUp();
    const [coordinator, gpu] = observers;
    coordinator.onStep(null, GpuSvmStep.rangeInserted, PAGE - 8, 16, 1, 0);
    coordinator.onStep(null, GpuSvmStep.rangeRemoved, PAGE - 8, 8, 1, 0);
    coordinator.onStep(null, GpuSvmStep.setUnmapped, PAGE + 1, 8, 1, 0);
    gpu.onStep(null, DeviceStep.zap, 0, PAGE, 1, 1);
    expect(found(events, PAGE)).toEqual(['gpusvm.rangeInserted', 'device.zap']);
  });

  it('are those of devices too, whichever process the page belongs to', () => {
    const { events, observers } = setUp();
    observers[1].onStep(null, DeviceStep.bind, 0, inSpace(spaceId(2), PAGE), 1, 0);
    expect(events.touching({ page: PAGE })).toEqual([
      expect.stringContaining(`device=gpu0 address=${formatVpn(PAGE)} space=2 pages=1 errno=0`),
    ]);
  });

  it('are found by either page of a move, and by a page without a length', () => {
    const { events, observers } = setUp();
    observers[0].onStep(null, MoveStep.moved, PAGE, PAGE + 1000, 4, 1);
    observers[0].onStep(null, DriverStep.retry, PAGE + 1003, 0, Errno.EBUSY, 0);
    expect(found(events, vpn(PAGE + 3))).toEqual(['mremap.moved']);
    expect(found(events, vpn(PAGE + 1003))).toEqual(['mremap.moved', 'driver.retry']);
  });

  it('are found by frame too', () => {
    const { events, observers } = setUp();
    observers[0].onStep(null, CowStep.copied, PAGE, 0x300, 0x301, 1);
    expect(events.touching({ pfn: pfn(0x301) })).toHaveLength(1);
    expect(events.touching({ pfn: pfn(0x302) })).toHaveLength(0);
    expect(events.touching({ page: vpn(1), pfn: pfn(0x300) })).toHaveLength(1);
  });

  it('are told apart from those of a run that records nothing', () => {
    const { events, observers } = setUp();
    expect(events.isEmpty).toBe(true);
    observers[2].onStep(null, NotifierStep.readBegin, PAGE, 512, 1, 0);
    expect(events.isEmpty).toBe(false);
  });

  it('leave out what concerns a whole notifier window', () => {
    const { events, observers } = setUp();
    observers[0].onStep(null, NotifierStep.readBegin, PAGE, 512, 1, 0);
    expect(events.touching({ page: PAGE })).toEqual([]);
  });

  it('are the newest, oldest first, over all actors', () => {
    const { events, observers, clock } = setUp();
    for (let i = 0; i < 20; i++) {
      clock.timeNs = 1000 * i;
      observers[i % 3].onStep(null, DriverStep.retry, PAGE, i, Errno.EBUSY, 0);
    }
    const lines = events.touching({ page: PAGE }, 5);
    expect(lines.map((line) => /device=(\w+)/.exec(line)?.[1])).toEqual([
      'gpu15',
      'gpu16',
      'gpu17',
      'gpu18',
      'gpu19',
    ]);
  });

  it('keep the order of steps where the clock stands still', () => {
    const { events, observers } = setUp();
    for (const i of [2, 0, 1, 0, 2]) observers[i].onStep(null, DriverStep.retry, PAGE, i, Errno.EBUSY, 0);
    expect(events.touching({ page: PAGE }).map((line) => /device=(\w+)/.exec(line)?.[1])).toEqual([
      'gpu2',
      'gpu0',
      'gpu1',
      'gpu0',
      'gpu2',
    ]);
  });

  it('are put in order by clocks that started at different moments', () => {
    const { events, observers } = setUp([5000, 0, 0]);
    observers[0].onStep(null, DriverStep.retry, PAGE, 0, Errno.EBUSY, 0);
    observers[1].onStep(null, DriverStep.retry, PAGE, 1, Errno.EBUSY, 0);
    expect(events.touching({ page: PAGE }).map((line) => /device=(\w+)/.exec(line)?.[1])).toEqual([
      'gpu1',
      'gpu0',
    ]);
  });

  it('tell times since the start of the run, whenever the clock of an actor started', () => {
    const { events, buffers, observers, clock } = setUp([7_000_000, 2_000_000, 0]);
    buffers.runStartNs = 6_000_000;
    clock.timeNs = 500_000;
    observers[0].onStep(null, DriverStep.retry, PAGE, 0, Errno.EBUSY, 0);
    clock.timeNs = 6_000_000;
    observers[1].onStep(null, DriverStep.retry, PAGE, 1, Errno.EBUSY, 0);
    const times = events.touching({ page: PAGE }).map((line) => line.trim().split('  ')[0]);
    expect(times).toEqual(['1500.000 us wall', '2000.000 us wall']);
  });
});

describe('a line', () => {
  function lineOf(step: Parameters<ActorObserver['onStep']>[1], ...args: number[]): string {
    const { events, observers, clock } = setUp();
    clock.timeNs = 1_234_567;
    observers[1].onStep(null, step, args[0] ?? 0, args[1] ?? 0, args[2] ?? 0, args[3] ?? 0);
    return events.describeRecent(1, 1)[0];
  }

  it('says when, who, what, and each argument by its name', () => {
    const line = lineOf(DriverStep.faultDone, PAGE, 3, Errno.EFAULT, 1500.7);
    expect(line).toBe(
      `     1234.567 us wall  gpu0        between tasks driver.faultDone address=${formatVpn(PAGE)} device=gpu3 errno=-EFAULT ns=1501`,
    );
  });

  it('names events, frames, flags and devices', () => {
    expect(lineOf(NotifierStep.invStart, PAGE, 1, NotifyEvent.Clear, 1)).toContain('event=CLEAR');
    expect(lineOf(PagemapStep.copied, PAGE, 1, -1, 0)).toContain('device=none');
    expect(lineOf(CowStep.copied, PAGE, 0x300, 0x301, 1)).toContain('pfn=0x300 pfn=0x301');
    expect(lineOf(GpuSvmStep.mapped, PAGE, 1, 0, 6)).toContain('flags=0x6');
  });

  it('shows an errno where a page was expected, and an unknown errno as a number', () => {
    expect(lineOf(MmapStep.mapped, Errno.ENOMEM, 1, 3, 1)).toContain('address=-ENOMEM');
    expect(lineOf(DriverStep.retry, PAGE, 0, -99)).toContain('errno=-99');
  });

  it('names messages and who they go to or come from', () => {
    expect(lineOf(PortStep.send, 2, CpuMessage.munmap.id, 0)).toContain('sim.send to cpu0: cpu.munmap');
    expect(lineOf(PortStep.deliver, 0, 0, 0)).toContain('sim.deliver from coordinator: a reply');
    expect(lineOf(PortStep.send, 9, CpuMessage.munmap.id, 0)).toContain('to actor 9');
  });

  it('has something to say of steps that are not in the catalog', () => {
    expect(lineOf(defineStep('test.other', 'vpn'), PAGE)).toMatch(/other$/);
  });
});
