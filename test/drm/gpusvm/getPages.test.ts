/** drm_gpusvm_get_pages: what becomes valid for a device, every way in which it does not, and the way back. */

import { beforeEach, describe, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { defaultContext, GpuSvm, pagesOnly } from '../../../src/drm/gpusvm/gpusvm.js';
import { GpuSvmStep } from '../../../src/drm/gpusvm/gpusvmStep.js';
import { GpuSvmPages, PagesFlag } from '../../../src/drm/gpusvm/pages.js';
import type { GpuSvmRange } from '../../../src/drm/gpusvm/range.js';
import {
  DmaDir,
  DmaProto,
  dmaAddrAt,
  dmaDir,
  dmaOrder,
  dmaPage,
  dmaProto,
} from '../../../src/memory/dmaAddr.js';
import { HmmPfnFlag, hmmPfn, pfn } from '../../../src/memory/pfn.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { ThpMode } from '../../../src/mm/kernel.js';
import { HmmStep } from '../../../src/mm/mirror/hmm.js';
import {
  IntervalNotifier,
  type IntervalNotifierOps,
  NotifyEvent,
  notifierRange,
} from '../../../src/mm/mirror/mmuNotifier.js';
import { type StepId, type Steps, stepDefinition } from '../../../src/sim/steps.js';
import { runAll } from '../../mm/harness.js';
import { DrmMachine, TEST_CONFIG, TestDriver } from '../harness.js';

const AREA = 0x1000;
const MAPPED = PagesFlag.HasDmaMapping;
const ON_DEVICE = PagesFlag.HasDmaMapping | PagesFlag.HasDevmemPages;

let drm: DrmMachine;
let driver: TestDriver;

beforeEach(() => {
  drm = new DrmMachine();
  driver = new TestDriver(drm);
});

function filledRange(npages = 16): GpuSvmRange {
  drm.mapFilled(AREA, npages);
  return driver.rangeAt(AREA);
}

function dirs(range: GpuSvmRange, device = 0): DmaDir[] {
  const { dmaAddrs } = driver.pagesOf(range)[device];
  return Array.from({ length: range.npages }, (_, i) => dmaDir(dmaAddrAt(dmaAddrs ?? new Uint32Array(0), i)));
}

function protos(range: GpuSvmRange, device = 0): DmaProto[] {
  const { dmaAddrs } = driver.pagesOf(range)[device];
  return Array.from({ length: range.npages }, (_, i) =>
    dmaProto(dmaAddrAt(dmaAddrs ?? new Uint32Array(0), i)),
  );
}

/** Leaves device 0 that many I/O pages, each between two that are taken: no room for a reservation. */
function takeAllBut(left: number): void {
  const [gpu] = drm.gpus;
  const taken: number[] = [];
  while (gpu.iommu.freeIoPages > 0) taken.push(gpu.iommu.map(drm.pfnOf(AREA), DmaDir.ToDevice));
  for (let i = 0; i < left; i++) gpu.iommu.unmap(taken[2 * i]);
}

/** How often each step of a kind is taken during `body`. */
function countSteps(step: StepId, body: () => void): number {
  let count = 0;
  drm.kernel.sched.observer = {
    onStep: (_task, taken) => {
      if (taken === step) count++;
    },
  };
  body();
  drm.kernel.sched.observer = null;
  return count;
}

/** Does something at the first `times` steps of a kind: what another thread could have done there. */
function meddle(step: StepId, what: () => void, times = 1): void {
  let left = times;
  drm.kernel.sched.observer = {
    onStep: (_task, taken) => {
      if (taken !== step || left === 0) return;
      left--;
      what();
    },
  };
}

/** Nothing is mapped for any device, and no device memory is held by a pages object. */
function expectNothingMapped(): void {
  for (const gpu of drm.gpus) {
    expect([gpu.system.size, gpu.peers.size, gpu.dpagemap.references]).toEqual([0, 0, 1 + gpu.live.length]);
    expect([gpu.iommu.reserved, gpu.ledger.mismatches]).toEqual([0, []]);
  }
}

describe('get_pages of RAM', () => {
  it('maps each page for the device, for both directions', () => {
    const range = filledRange();
    expect(drm.run(driver.getPages(range))).toBe(Errno.OK);
    expect(driver.targets(range)).toEqual(Array.from({ length: 16 }, (_, i) => drm.pfnOf(AREA + i)));
    expect(new Set(protos(range))).toEqual(new Set([DmaProto.System]));
    expect(new Set(dirs(range))).toEqual(new Set([DmaDir.Bidirectional]));
    expect(driver.pagesOf(range)[0].flags).toBe(MAPPED);
    expect(drm.gpus[0].system.size).toBe(16);
    expect(drm.gpus[1].system.size).toBe(0);
  });

  it('maps for reading only, without breaking the zero page, when the context only reads', () => {
    drm.map(AREA, 16);
    const range = driver.rangeAt(AREA);
    expect(drm.run(driver.getPages(range, 0, { readOnly: true }))).toBe(Errno.OK);
    expect(new Set(dirs(range))).toEqual(new Set([DmaDir.ToDevice]));
    expect(new Set(drm.places(AREA, 16))).toEqual(new Set(['zero']));
  });

  it('faults pages in that were never touched', () => {
    drm.map(AREA, 16);
    const range = driver.rangeAt(AREA);
    expect(drm.run(driver.getPages(range))).toBe(Errno.OK);
    expect(new Set(drm.places(AREA, 16))).toEqual(new Set(['ram']));
    expect(new Set(driver.targets(range)).size).toBe(16);
  });

  it('notes the sequence at which the pages were valid', () => {
    const range = filledRange();
    const { interval } = range.notifier;
    expect(drm.run(driver.getPages(range))).toBe(Errno.OK);
    expect(driver.pagesOf(range)[0].notifierSeq).toBe(interval.invalidateSeq);
  });

  it('only refreshes the sequence when the pages are valid already', () => {
    const range = filledRange();
    drm.run(driver.getPages(range));
    const pages = driver.pagesOf(range)[0];
    const before = driver.targets(range);
    pages.notifierSeq = 0;
    const walks = countSteps(HmmStep.rangeFault, () => {
      expect(drm.run(driver.getPages(range))).toBe(Errno.OK);
    });
    expect(walks).toBe(0);
    expect(pages.notifierSeq).toBe(range.notifier.interval.invalidateSeq);
    expect(driver.targets(range)).toEqual(before);
  });

  it('makes each device its own mappings', () => {
    const range = filledRange();
    drm.run(driver.getPages(range, 0));
    drm.run(driver.getPages(range, 1));
    expect([drm.gpus[0].system.size, drm.gpus[1].system.size]).toEqual([16, 16]);
    expect(driver.targets(range, 1)).toEqual(driver.targets(range, 0));
  });
});

describe('get_pages of device memory', () => {
  it('takes own pages where they are, and holds the pagemap', () => {
    const range = filledRange();
    drm.run(drm.gpus[0].migrateHere(AREA, 16));
    const before = drm.gpus[0].dpagemap.references;
    expect(drm.run(driver.getPages(range))).toBe(Errno.OK);
    expect(new Set(protos(range))).toEqual(new Set([DmaProto.Vram]));
    expect(driver.targets(range)).toEqual(Array.from({ length: 16 }, (_, i) => drm.pfnOf(AREA + i)));
    expect(driver.pagesOf(range)[0].flags).toBe(ON_DEVICE);
    expect(drm.gpus[0].dpagemap.references).toBe(before + 1);
  });

  it('maps pages of a peer where they are', () => {
    const range = filledRange();
    drm.run(drm.gpus[0].migrateHere(AREA, 16));
    expect(drm.run(driver.getPages(range, 1))).toBe(Errno.OK);
    expect(new Set(protos(range, 1))).toEqual(new Set([DmaProto.Peer]));
    expect(drm.places(AREA, 16)).toEqual(new Array(16).fill('vram0'));
    expect(driver.pagesOf(range)[1].dpagemap).toBe(drm.gpus[0].dpagemap);
  });

  it('brings pages of a stranger to RAM first, whose own mapping thereby ends', () => {
    drm = new DrmMachine({}, [1, 2]);
    driver = new TestDriver(drm);
    const range = filledRange();
    drm.run(drm.gpus[0].migrateHere(AREA, 16));
    drm.run(driver.getPages(range, 0));
    expect(drm.run(driver.getPages(range, 1))).toBe(Errno.OK);
    expect(new Set(drm.places(AREA, 16))).toEqual(new Set(['ram']));
    expect(driver.pagesOf(range).map(({ flags }) => flags)).toEqual([0, MAPPED]);
    expect(drm.peek(AREA, 3)).toEqual([AREA, AREA + 1, AREA + 2]);
  });

  it('does not hand out for stores what the CPU may only read', () => {
    const range = filledRange();
    drm.run(drm.gpus[0].migrateHere(AREA, 16));
    const { mprotect } = drm.machine.calls;
    drm.run(mprotect.mprotect(drm.mm, vpn(AREA), 16, Prot.Read));
    drm.run(mprotect.mprotect(drm.mm, vpn(AREA), 16, Prot.Read | Prot.Write));
    expect(drm.run(driver.getPages(range))).toBe(Errno.EOPNOTSUPP);
    expect(drm.run(driver.getPages(range, 0, { readOnly: true }))).toBe(Errno.OK);
    drm.run(driver.unmapPages(range));
    expect(drm.run(driver.gpusvm.rangeEvict(range))).toBe(Errno.OK);
    expect(drm.run(driver.getPages(range))).toBe(Errno.OK);
    expect(drm.peek(AREA, 3)).toEqual([AREA, AREA + 1, AREA + 2]);
  });
});

describe('pages in different places', () => {
  /** `s`: RAM; a digit: that device; each run a migration of its own. */
  function place(layout: string): GpuSvmRange {
    const range = filledRange(layout.length);
    for (const { 0: run, index } of layout.matchAll(/0+|1+/g)) {
      expect(drm.run(drm.gpus[Number(run[0])].migrateHere(AREA + index, run.length))).toBe(Errno.OK);
    }
    return range;
  }

  it.each([
    ['ssss000000000000', Errno.EOPNOTSUPP, Errno.OK],
    ['000000000000ssss', Errno.EOPNOTSUPP, Errno.OK],
    ['s0s0s0s0s0s0s0s0', Errno.EOPNOTSUPP, Errno.OK],
    ['0000000011111111', Errno.EOPNOTSUPP, Errno.EOPNOTSUPP],
    ['ssss000011110000', Errno.EOPNOTSUPP, Errno.EOPNOTSUPP],
  ])('%s: %i, and %i where they may mix', (layout, strict, mixed) => {
    const range = place(layout);
    expect(drm.run(driver.getPages(range))).toBe(strict);
    expectNothingMapped();
    expect(drm.run(driver.getPages(range, 0, { allowMixed: true }))).toBe(mixed);
    if (mixed !== Errno.OK) expectNothingMapped();
    expect(drm.places(AREA, 16).join()).toBe([...layout].map((c) => (c === 's' ? 'ram' : `vram${c}`)).join());
  });

  it('are two migrations to one device too, unless they may mix', () => {
    const range = filledRange();
    drm.run(drm.gpus[0].migrateHere(AREA, 8));
    drm.run(drm.gpus[0].migrateHere(AREA + 8, 8));
    expect(drm.run(driver.getPages(range))).toBe(Errno.EOPNOTSUPP);
    expectNothingMapped();
    expect(drm.run(driver.getPages(range, 0, { allowMixed: true }))).toBe(Errno.OK);
    expect(driver.pagesOf(range)[0].flags).toBe(ON_DEVICE);
  });

  it('are -EFAULT where only device memory will do', () => {
    const range = place('0000ssssssssssss');
    expect(drm.run(driver.getPages(range, 0, { allowMixed: true, devmemOnly: true }))).toBe(Errno.EFAULT);
    expectNothingMapped();
  });

  it('leave nothing mapped when the range has to be evicted, which makes it valid', () => {
    const range = place('ssss000011110000');
    expect(drm.run(driver.gpusvm.rangeEvict(range))).toBe(Errno.OK);
    expect(drm.run(driver.getPages(range))).toBe(Errno.OK);
    expect(drm.peek(AREA, 16)).toEqual(Array.from({ length: 16 }, (_, i) => AREA + i));
  });
});

describe('get_pages fails with', () => {
  it('-EFAULT when the address space is gone', () => {
    const range = filledRange();
    drm.mm.users = 0;
    expect(drm.run(driver.getPages(range))).toBe(Errno.EFAULT);
    expect([drm.mm.users, drm.mm.mmapLock.isLocked]).toEqual([0, false]);
  });

  it('-EFAULT where part of the range is not mapped, or may not be accessed', () => {
    const range = filledRange();
    drm.run(drm.machine.calls.mprotect.mprotect(drm.mm, vpn(AREA + 4), 1, Prot.None));
    expect(drm.run(driver.getPages(range))).toBe(Errno.EFAULT);
    drm.run(drm.machine.calls.memoryMap.munmap(drm.mm, vpn(AREA + 4), 1));
    expect(drm.run(driver.getPages(range))).toBe(Errno.EFAULT);
    expectNothingMapped();
    expect(drm.mm.users).toBe(1);
  });

  it('-EPERM where part of the range became read-only', () => {
    const range = filledRange();
    drm.run(drm.machine.calls.mprotect.mprotect(drm.mm, vpn(AREA + 4), 1, Prot.Read));
    expect(drm.run(driver.getPages(range))).toBe(Errno.EPERM);
    expect(drm.run(driver.getPages(range, 0, { readOnly: true }))).toBe(Errno.OK);
  });

  it('-ENOMEM when there is no memory to fault pages in', () => {
    drm = new DrmMachine({ ramPages: 8 });
    driver = new TestDriver(drm);
    drm.map(AREA, 16);
    expect(drm.run(driver.getPages(driver.rangeAt(AREA)))).toBe(Errno.ENOMEM);
    expectNothingMapped();
  });

  it('-EFAULT for a range that was unmapped, at once even if the sequence is stale too', () => {
    const range = filledRange();
    const { interval } = range.notifier;
    let retries = 0;
    drm.kernel.sched.observer = {
      onStep: (_task, step) => {
        if (step === GpuSvmStep.getPagesRetry) retries++;
        if (step !== HmmStep.done) return;
        interval.setSeq(interval.invalidateSeq + 2);
        driver.pagesOf(range)[0].markUnmapped();
      },
    };
    expect(drm.run(driver.getPages(range))).toBe(Errno.EFAULT);
    expect(retries).toBe(0);
    expectNothingMapped();
  });

  it('-ENOMEM and undoes what was linked, when a link in the reservation fails on the way', () => {
    const range = filledRange();
    drm.gpus[0].mapsLeft = 7;
    expect(drm.run(driver.getPages(range))).toBe(Errno.ENOMEM);
    expectNothingMapped();
    expect(driver.pagesOf(range)[0].flags).toBe(0);
    expect(driver.pagesOf(range)[0].state.isUsed).toBe(false);
  });

  it('-EFAULT and undoes what was mapped page by page, when there is no room for a reservation', () => {
    const range = filledRange();
    takeAllBut(8);
    expect(drm.run(driver.getPages(range))).toBe(Errno.EFAULT);
    expect(drm.gpus[0].iommu.freeIoPages).toBe(8);
    expect(driver.pagesOf(range)[0].flags).toBe(0);
  });

  it('-EFAULT and undoes what was mapped, when mapping device memory fails on the way', () => {
    const range = filledRange();
    drm.run(drm.gpus[0].migrateHere(AREA, 16));
    drm.gpus[0].deviceMapsLeft = 7;
    expect(drm.run(driver.getPages(range, 1))).toBe(Errno.EFAULT);
    expectNothingMapped();
    expect(driver.pagesOf(range)[1].dpagemap).toBe(null);
  });

  it('what the sync behind the last link says, and nothing stays linked', () => {
    const range = filledRange();
    drm.gpus[0].dmaIovaSync = () => Errno.EIO;
    expect(drm.run(driver.getPages(range))).toBe(Errno.EIO);
    expectNothingMapped();
  });

  it('-EBUSY when invalidations let it not end for a second', () => {
    drm = new DrmMachine({
      costs: { cpuFaultNs: 0, migratePageNs: 0, hmmPageNs: 20_000_000, tlbShootdownNs: 0, syscallNs: 0 },
    });
    driver = new TestDriver(drm);
    const range = filledRange();
    const { interval } = range.notifier;
    meddle(HmmStep.done, () => interval.setSeq(interval.invalidateSeq + 2), 1000);
    expect(drm.run(driver.getPages(range))).toBe(Errno.EBUSY);
    expectNothingMapped();
    expect([drm.mm.users, drm.mm.mmapLock.isLocked, driver.gpusvm.notifierLock.isLocked]).toEqual([
      1,
      false,
      false,
    ]);
  });
});

describe('get_pages begins again', () => {
  it('when an invalidation came between the walk and the notifier lock', () => {
    const range = filledRange();
    const { interval } = range.notifier;
    meddle(HmmStep.done, () => interval.setSeq(interval.invalidateSeq + 2));
    expect(drm.run(driver.getPages(range))).toBe(Errno.OK);
    expect(driver.pagesOf(range)[0].notifierSeq).toBe(interval.invalidateSeq);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'whatever the schedule: a mapping never outlives its page (seed %i)',
    (seed) => {
      drm = new DrmMachine({ seed, pagesPerStep: 1 });
      driver = new TestDriver(drm);
      const range = filledRange(4);
      const body = function* (): Steps<Errno> {
        for (let i = 0; i < 6; i++) yield* driver.getPages(range, i % 2);
        return Errno.OK;
      };
      const zap = function* (): Steps<Errno> {
        for (let i = 0; i < 6; i++) yield* drm.machine.calls.madvise.madvise(drm.mm, vpn(AREA), 4, 0);
        return Errno.OK;
      };
      drm.kernel.sched.observer = {
        onStep: (_task, step) => {
          if (stepDefinition(step).name !== 'zap.cleared') return;
          expect(drm.gpus.map(({ system }) => system.size)).toEqual([0, 0]);
        },
      };
      runAll(drm.kernel, [body(), zap()]);
    },
  );
});

describe('get_pages and I/O addresses', () => {
  it('reserves them for the whole span where it begins in RAM, and links page after page', () => {
    const range = filledRange();
    drm.run(driver.getPages(range));
    const { state, stateOffset, dmaAddrs } = driver.pagesOf(range)[0];
    expect([state.npages, stateOffset, drm.gpus[0].iommu.reserved]).toEqual([16, 16, 16]);
    const pages = [...(dmaAddrs ?? [])].map((_, i) => dmaPage(dmaAddrAt(dmaAddrs ?? new Uint32Array(0), i)));
    expect(pages).toEqual(Array.from({ length: 16 }, (_, i) => state.addr + i));
    drm.run(driver.unmapPages(range));
    expectNothingMapped();
  });

  it('gives back the whole reservation where device pages have left a part of it unused', () => {
    const range = filledRange();
    drm.run(drm.gpus[1].migrateHere(AREA + 4, 8));
    drm.run(driver.getPages(range, 0, { allowMixed: true }));
    const { state, stateOffset } = driver.pagesOf(range)[0];
    expect([state.npages, stateOffset, drm.gpus[0].system.size]).toEqual([16, 8, 8]);
    expect(driver.targets(range)).toEqual(Array.from({ length: 16 }, (_, i) => drm.pfnOf(AREA + i)));
    drm.run(driver.unmapPages(range));
    expectNothingMapped();
    expect(drm.gpus[0].iommu.freeIoPages).toBe(drm.gpus[1].iommu.freeIoPages);
  });

  it('maps page by page where the span begins in device memory', () => {
    const range = filledRange();
    drm.run(drm.gpus[1].migrateHere(AREA, 8));
    drm.run(driver.getPages(range, 0, { allowMixed: true }));
    expect([driver.pagesOf(range)[0].state.isUsed, drm.gpus[0].system.size]).toEqual([false, 8]);
    drm.run(driver.unmapPages(range));
    expectNothingMapped();
  });

  it('maps page by page where there is no room for a reservation', () => {
    const range = filledRange();
    takeAllBut(16);
    expect(drm.run(driver.getPages(range))).toBe(Errno.OK);
    expect([driver.pagesOf(range)[0].state.isUsed, drm.gpus[0].iommu.freeIoPages]).toEqual([false, 0]);
    expect(driver.targets(range)).toEqual(Array.from({ length: 16 }, (_, i) => drm.pfnOf(AREA + i)));
  });

  it('unmaps in the direction of the map', () => {
    const range = filledRange();
    drm.run(driver.getPages(range, 0, { readOnly: true }));
    drm.run(driver.unmapPages(range));
    expectNothingMapped();
  });
});

describe('get_pages of a huge page', () => {
  it.each([
    [0, 512, [9]],
    [0, 16, [4]],
    [16, 16, [4]],
    [496, 16, [4]],
    [3, 10, [3, 1]],
    [5, 507, [8, 7, 6, 5, 4, 3, 1, 0]],
  ])(
    'from page %i on, %i pages: addresses stay within the span and cover it exactly',
    (first, npages, orders) => {
      const pages = Array.from({ length: npages }, (_, i) => first + i);
      const found: number[] = [];
      for (let i = 0; i < npages; ) {
        const entry = hmmPfn(pfn(1024 + pages[i]), HmmPfnFlag.VALID | HmmPfnFlag.WRITE, 9);
        const order = drm.dma.mapper.pfnToOrder(entry, AREA + pages[i], npages - i);
        found.push(order);
        i += 1 << order;
      }
      expect(found).toEqual(orders);
      expect(found.reduce((sum, order) => sum + (1 << order), 0)).toBe(npages);
    },
  );

  it('is one address for all pages of a leaf', () => {
    drm = new DrmMachine({ ramPages: 2048 });
    drm.kernel.thp = ThpMode.Always;
    driver = new TestDriver(drm, { notifierPages: 1024, chunkPages: [512, 16, 1] });
    drm.mapFilled(AREA, 512);
    const range = driver.rangeAt(AREA);
    expect(range.npages).toBe(512);
    expect(drm.run(driver.getPages(range))).toBe(Errno.OK);
    const { dmaAddrs, state, stateOffset } = driver.pagesOf(range)[0];
    expect(dmaOrder(dmaAddrAt(dmaAddrs ?? new Uint32Array(0), 0))).toBe(9);
    expect([state.npages, stateOffset, drm.gpus[0].system.size]).toEqual([512, 512, 512]);
    expect(driver.targets(range)).toEqual(Array.from({ length: 512 }, (_, i) => drm.pfnOf(AREA + i)));
    drm.run(driver.unmapPages(range));
    expectNothingMapped();
  });
});

describe('a gpusvm without an address space', () => {
  it('is made of nothing but a name; anything else is -EINVAL, as is a mirror without chunks or ops', () => {
    const { sched } = drm.kernel;
    const bare = pagesOnly('userptr');
    expect(GpuSvm.init(sched, bare, null, drm.hmm, null)).toBeInstanceOf(GpuSvm);
    const wrong = [{ npages: 1 }, { start: vpn(1) }, { notifierPages: 1 }, { chunkPages: [1] }];
    for (const one of wrong)
      expect(GpuSvm.init(sched, { ...bare, ...one }, null, drm.hmm, null)).toBe(Errno.EINVAL);
    expect(GpuSvm.init(sched, bare, null, drm.hmm, driver)).toBe(Errno.EINVAL);
    expect(GpuSvm.init(sched, TEST_CONFIG, drm.mm, drm.hmm, null)).toBe(Errno.EINVAL);
    expect(GpuSvm.init(sched, { ...TEST_CONFIG, chunkPages: [] }, drm.mm, drm.hmm, driver)).toBe(
      Errno.EINVAL,
    );
    expect(drm.mm.count).toBe(2);
  });

  it('maps pages of any address space through a notifier of its driver, and takes no reference', () => {
    drm.mapFilled(AREA, 16);
    const gpusvm = GpuSvm.init(drm.kernel.sched, pagesOnly('userptr'), null, drm.hmm, null);
    assert(typeof gpusvm !== 'number', 'a bare gpusvm is refused');
    const pages = new GpuSvmPages(drm.gpus[0]);
    const clearing: IntervalNotifierOps = {
      *invalidate(sub, _range, curSeq) {
        yield* gpusvm.notifierLock.write();
        sub.setSeq(curSeq);
        yield* drm.dma.unmapPages(gpusvm, pages, 16, { ...defaultContext, inNotifier: true });
        gpusvm.notifierLock.writeUnlock();
        return true;
      },
    };
    const interval = new IntervalNotifier(vpn(AREA), vpn(AREA + 16), clearing);
    drm.run(drm.mm.notifiers.insert(interval));
    const get = (): Errno =>
      drm.run(drm.dma.getPages(gpusvm, pages, drm.mm, interval, vpn(AREA), vpn(AREA + 16), defaultContext));
    expect(get()).toBe(Errno.OK);
    expect(pages.flags).toBe(MAPPED);
    drm.run(drm.machine.calls.madvise.madvise(drm.mm, vpn(AREA), 4, 0));
    expect(pages.flags).toBe(0);
    expectNothingMapped();
    expect(get()).toBe(Errno.OK);
    drm.run(drm.dma.freePages(gpusvm, pages, 16));
    expectNothingMapped();
    drm.run(drm.mm.notifiers.remove(interval));
    drm.run(gpusvm.fini());
  });
});

describe('pages_valid', () => {
  it('needs the notifier lock', () => {
    const range = filledRange();
    const ask = function* (): Steps<boolean> {
      return drm.dma.pagesValid(driver.gpusvm, driver.pagesOf(range)[0]);
    };
    expect(() => drm.run(ask())).toThrow('must be held');
  });
});

describe('unmap_pages', () => {
  it('ends all DMA mappings, drops the pagemap, and can be repeated', () => {
    const range = filledRange();
    drm.run(drm.gpus[1].migrateHere(AREA + 8, 8));
    drm.run(driver.getPages(range, 0, { allowMixed: true }));
    expect([drm.gpus[0].system.size, drm.gpus[1].peers.size]).toEqual([8, 8]);
    for (let i = 0; i < 2; i++) {
      drm.run(driver.unmapPages(range));
      expectNothingMapped();
      expect(driver.pagesOf(range)[0].flags).toBe(0);
      expect(driver.pagesOf(range)[0].dpagemap).toBe(null);
    }
  });

  it('keeps the mark that the range was unmapped', () => {
    const range = filledRange();
    drm.run(driver.getPages(range));
    driver.pagesOf(range)[0].markUnmapped();
    drm.run(driver.unmapPages(range));
    expect(driver.pagesOf(range)[0].flags).toBe(PagesFlag.Unmapped);
  });

  it('touches the given device only', () => {
    const range = filledRange();
    drm.run(driver.getPages(range, 0));
    drm.run(driver.getPages(range, 1));
    drm.run(driver.unmapPages(range, 0));
    expect([drm.gpus[0].system.size, drm.gpus[1].system.size]).toEqual([0, 16]);
  });

  it('in the callback needs the notifier lock for write', () => {
    const range = filledRange();
    const unmap = function* (): Steps<void> {
      yield* driver.gpusvm.notifierLock.read();
      const [pages] = driver.pagesOf(range);
      yield* drm.dma.unmapPages(driver.gpusvm, pages, 16, { ...defaultContext, inNotifier: true });
    };
    expect(() => drm.run(unmap())).toThrow('must be held for write');
  });

  it('is what a callback does for all devices, so that nothing is left to DMA through', () => {
    const range = filledRange();
    drm.run(driver.getPages(range, 0));
    drm.run(driver.getPages(range, 1));
    const clear = notifierRange(NotifyEvent.Clear, vpn(AREA + 3), vpn(AREA + 4));
    drm.run(drm.mm.notifiers.invalidateStart(clear));
    expectNothingMapped();
    drm.run(drm.mm.notifiers.invalidateEnd(clear));
  });

  it('free_pages also lets go of the addresses', () => {
    const range = filledRange();
    drm.run(driver.getPages(range));
    const [pages] = driver.pagesOf(range);
    drm.run(drm.dma.freePages(driver.gpusvm, pages, 16));
    expectNothingMapped();
    expect(pages.dmaAddrs).toBe(null);
  });
});

describe('the named steps', () => {
  it('show each beginning, the moment of validity, and the outcome', () => {
    const range = filledRange();
    const names: string[] = [];
    const wanted: StepId[] = [
      GpuSvmStep.getPages,
      GpuSvmStep.getPagesRetry,
      GpuSvmStep.mapped,
      GpuSvmStep.getPagesDone,
    ];
    let left = 1;
    drm.kernel.sched.observer = {
      onStep: (_task, step) => {
        if (step === HmmStep.done && left-- > 0) range.notifier.interval.setSeq(99);
        if (wanted.includes(step)) names.push(stepDefinition(step).name);
      },
    };
    drm.run(driver.getPages(range));
    expect(names).toEqual([
      'gpusvm.getPages',
      'gpusvm.getPagesRetry',
      'gpusvm.getPages',
      'gpusvm.mapped',
      'gpusvm.getPagesDone',
    ]);
  });
});
