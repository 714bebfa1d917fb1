/** Views that GPUs of the reference driver have beside their page tables: one per process and device, kept true, and gone with the process. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import type { GpuViews } from '../../../src/driver/mirror/gpuViews.js';
import { MirrorProt } from '../../../src/driver/mirror/mirrorSnapshot.js';
import { MirrorTag } from '../../../src/driver/mirror/mirrorTable.js';
import type { MirrorView } from '../../../src/driver/mirror/mirrorView.js';
import type { Steps } from '../../../src/sim/steps.js';
import { fill, findDifference, load, System } from '../harness.js';

const AREA = 0x1000;
const NO_SINK = { take: (): void => {} };

function filled(): { system: System; views: GpuViews } {
  const system = new System({});
  system.map(AREA, 16);
  expect(system.run(fill(system.cpus[0], AREA, 16, 100))).toBe(Errno.OK);
  return { system, views: system.coordinator.gpuViews };
}

function open({ coordinator }: System, device: number): Steps<MirrorView | Errno> {
  return coordinator.gpuViews.viewOf(coordinator.mm, coordinator.gpus[device]);
}

function opened(system: System, device: number): MirrorView {
  const view = system.run(open(system, device));
  if (typeof view === 'number') throw new Error(`there is no view: ${view}`);
  return view;
}

describe('a view', () => {
  it('is one for all who ask at once, with one interval', () => {
    const { system, views } = filled();
    const before = system.coordinator.mm.notifiers.intervals;
    const [one, other, foreign] = system.runAll([open(system, 0), open(system, 0), open(system, 1)]);
    expect(one).toBe(other);
    expect(foreign).not.toBe(one);
    expect([views.views.length, system.coordinator.mm.notifiers.intervals - before]).toEqual([2, 2]);
    system.checkAtRest();
    system.run(views.closeAll(system.coordinator.mm));
    expect([views.views.length, system.coordinator.mm.notifiers.intervals - before]).toEqual([0, 0]);
    system.tearDown();
  });

  it('holds what it has exclusively until somebody else touches it', () => {
    const { system, views } = filled();
    const view = opened(system, 0);
    const { errno } = system.run(views.commands.exclusive(view, vpn(AREA), 16, NO_SINK));
    expect([errno, view.table.size, view.table.tagAt(vpn(AREA))]).toEqual([Errno.OK, 16, MirrorTag.Atomic]);
    expect(system.run(load(system.cpus[0], AREA))).toBe(100);
    expect(view.table.tagAt(vpn(AREA))).toBe(MirrorTag.None);
    // A kernel of the same device is somebody else, too: its page tables are not the view's.
    expect(system.run(load(system.context(0), AREA + 8))).toBe(108);
    expect(view.table.tagAt(vpn(AREA + 8))).toBe(MirrorTag.None);
    expect(system.run(findDifference(system.cpus[0], AREA, 16, 100))).toBe(null);
    system.checkAtRest();
    system.run(views.closeAll(system.coordinator.mm));
    system.tearDown();
  });

  it('sees the memory of its own device, and of linked ones, as they are', () => {
    const { system, views } = filled();
    expect(system.run(load(system.context(0), AREA))).toBe(100);
    const seenBy = (device: number): number => {
      const prot = new Uint8Array(1);
      system.run(views.commands.snapshot(opened(system, device), vpn(AREA), 1, prot));
      return prot[0];
    };
    expect(seenBy(0)).toBe(MirrorProt.DevPrivateLocal | MirrorProt.Write);
    expect(seenBy(1)).toBe(MirrorProt.DevPrivateRemote | MirrorProt.Write);
    system.run(views.closeAll(system.coordinator.mm));
    system.tearDown();
  });

  it('is a new one after it was closed', () => {
    const { system, views } = filled();
    const { mm, gpus } = system.coordinator;
    const first = opened(system, 0);
    system.run(views.commands.exclusive(first, vpn(AREA), 16, NO_SINK));
    system.run(views.close(mm, gpus[0]));
    const second = opened(system, 0);
    const { errno } = system.run(views.commands.checkExclusive(second, vpn(AREA), 16));
    expect([second === first, first.table.size, errno]).toEqual([false, 0, Errno.OK]);
    system.run(views.closeAll(mm));
    system.tearDown();
  });
});
