/** That each rule which is watched step by step trips on a protocol that is wrong on purpose, and on nothing else. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { bugCase, hugeBuffer, mirrorOn } from '../../../src/bugs/bugCase.js';
import type { BugOverlay } from '../../../src/bugs/bugOverlay.js';
import { findBug } from '../../../src/bugs/catalogue.js';
import { everyDeviceVm } from '../../../src/bugs/everyDeviceVm.js';
import { replaceMethod } from '../../../src/bugs/replaceMethod.js';
import { allCheckers } from '../../../src/check/online/allCheckers.js';
import { DriverRange, RangeDevice } from '../../../src/driver/driverRange.js';
import { GpuSvmStep } from '../../../src/drm/gpusvm/gpusvmStep.js';
import { PagesFlag } from '../../../src/drm/gpusvm/pages.js';
import { PagemapStep } from '../../../src/drm/pagemap/pagemapStep.js';
import { subjectOf } from '../../../src/explore/subject.js';
import { SubjectRunner } from '../../../src/explore/subjectRunner.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { pagemapOwner } from '../../../src/mm/migrate/devPagemap.js';
import { HmmStep } from '../../../src/mm/mirror/hmm.js';
import { type NotifierRange, NotifyEvent } from '../../../src/mm/mirror/mmuNotifier.js';
import { pteFromWord, ptePfn } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import { RandomStrategy } from '../../../src/sim/virtual/randomStrategy.js';
import { cpuWrite, gpuRead, gpuWrite, program, roundTrip, saidBy, unmap, wrongRun } from './wrongRun.js';

const onlyFirstPage = (range: NotifierRange): NotifierRange => ({ ...range, end: vpn(range.start + 1) });

const twoReaders = program(2, 1, cpuWrite(), gpuRead('gpu0'), gpuRead('gpu1'), unmap());

const bindsObject = bugCase({
  name: 'an object is bound',
  steps: [{ op: 'gpuvm_bind_bo', args: { start: 0, end: 4, bo: 'X', bo_off: 0 } }],
});

describe('rules watched step by step', () => {
  it('have titles of their own, those of one invariant in a row, and each asks for steps', () => {
    expect(new Set(allCheckers.map(({ title }) => title)).size).toBe(allCheckers.length);
    const ids = allCheckers.map(({ id }) => id);
    expect(ids.filter((id, i) => id !== ids[i - 1])).toEqual([...new Set(ids)]);
    for (const { steps } of allCheckers) expect(steps.length).toBeGreaterThan(0);
  });

  it('say nothing where all is well', () => {
    for (const seed of [1, 2, 3]) {
      expect(wrongRun(allCheckers, () => {}, roundTrip, seed)).toBeNull();
      expect(wrongRun(allCheckers, () => {}, twoReaders, seed)).toBeNull();
    }
  });

  it('say nothing of mirrors whose windows lie at the same addresses', () => {
    const subject = subjectOf(twoReaders);
    const { config } = subject;
    const oneToOne = {
      ...subject,
      config: { ...config, svm: { ...config.svm, layout: 'one-to-one' as const } },
    };
    const runner = new SubjectRunner(oneToOne, { checkers: allCheckers, overlay: null, stepsMax: 5000 });
    for (const seed of [1, 2, 3]) expect(runner.run(new RandomStrategy(seed))?.verdict).toBeNull();
  });

  it('I1: a sequence that is odd while nothing runs', () => {
    const said = saidBy('I1', ({ coordinator }) =>
      replaceMethod(
        coordinator.mm.notifiers,
        'invalidateEnd',
        (right) =>
          function* (range) {
            yield* right(range);
            coordinator.mm.notifiers.invalidateSeq |= 1;
          },
      ),
    );
    expect(said).toContain('0 invalidations running');
  });

  it('I1: a sequence that goes back', () => {
    const said = saidBy('I1', ({ coordinator }) =>
      replaceMethod(
        coordinator.mm.notifiers,
        'invalidateEnd',
        (right) =>
          function* (range) {
            yield* right(range);
            coordinator.mm.notifiers.invalidateSeq -= 2;
          },
      ),
    );
    expect(said).toContain('back to');
  });

  it('I3: pages that become valid though the sequence has changed', () => {
    const said = saidBy('I3', ({ coordinator }) => {
      const [{ dma }] = coordinator.vms;
      replaceMethod(dma, 'isCurrent', () => (notifier) => {
        notifier.setSeq(notifier.invalidateSeq + 2);
        return true;
      });
    });
    expect(said).toContain('though its notifier has');
  });

  it('I3: translations from pages that are not valid', () => {
    const said = saidBy('I3', ({ coordinator }) =>
      replaceMethod(coordinator.gpuFaults.parts.binding, 'mayCommit', () => (_fault, part) => {
        part.pages.flags &= ~PagesFlag.HasDmaMapping;
        return true;
      }),
    );
    expect(said).toContain('not valid any more');
  });

  it('I4: a device that keeps its mapping through an invalidation', () => {
    const said = saidBy(
      'I4',
      ({ coordinator }) => {
        for (const { invalidation } of coordinator.vms)
          replaceMethod(
            invalidation,
            'unmapParts',
            (right) => (range, parts) =>
              right(
                range,
                parts.filter(({ gpu }) => gpu.index === 0),
              ),
          );
      },
      twoReaders,
    );
    expect(said).toContain('gpu1 has DMA mappings');
  });

  it('I4: a device whose TLB keeps what the driver believes to be gone', () => {
    const said = saidBy('I4', ({ devices }) =>
      replaceMethod(devices[0].gpu.tlb, 'invalidate', () => () => 0),
    );
    expect(said).toContain('the TLB of gpu0 has page');
  });

  it('I4: a device whose page table keeps it', () => {
    const said = saidBy('I4', ({ devices }) => replaceMethod(devices[0].gpu.pageTable, 'zap', () => () => 0));
    expect(said).toContain('the page table of gpu0 has page');
  });

  it('I4: entries that go when nobody has been told, or only of others', () => {
    const unbracketed: BugOverlay['apply'] = ({ coordinator }) => {
      const { notifiers } = coordinator.mm;
      replaceMethod(notifiers, 'invalidateStart', (right) => (range) => right(onlyFirstPage(range)));
      replaceMethod(notifiers, 'invalidateEnd', (right) => (range) => right(onlyFirstPage(range)));
    };
    const twoPages = program(1, 2, cpuWrite(2), unmap(2));
    expect(saidBy('I4', unbracketed, twoPages)).toContain('zap.cleared changes 2 pages');
    expect(saidBy('I4', () => {}, twoPages)).toBeNull();
  });

  it('I4: entries that go after the end of the invalidation that told of them', () => {
    const late: BugOverlay['apply'] = ({ coordinator }) => {
      const { notifiers } = coordinator.mm;
      replaceMethod(
        notifiers,
        'invalidateStart',
        (right) =>
          function* (range) {
            const errno = yield* right(range);
            if (range.event === NotifyEvent.Migrate) return errno;
            yield* notifiers.invalidateEnd(range);
            notifiers.activeInvalidations++;
            return errno;
          },
      );
    };
    expect(saidBy('I4', late)).toContain('outside of an invalidation of them');
  });

  it('I5: a callback that walks the page table', () => {
    const said = saidBy('I5', ({ sched, coordinator }) => {
      const [{ invalidation }] = coordinator.vms;
      replaceMethod(
        invalidation,
        'invalidate',
        (right) =>
          function* (...args) {
            sched.at(HmmStep.rangeFault);
            yield* right(...args);
          },
      );
    });
    expect(said).toContain('hmm.rangeFault');
  });

  it('I5: a callback that does not store the sequence', () => {
    const said = saidBy('I5', ({ coordinator }) => {
      const [{ invalidation }] = coordinator.vms;
      replaceMethod(
        invalidation,
        'invalidate',
        (right) =>
          function* (gpusvm, notifier, event) {
            notifier.interval.setSeq(1);
            yield* right(gpusvm, notifier, event);
          },
      );
    });
    expect(said).toContain('with sequence 1');
  });

  it('M6 and E4: a copy that fails and is taken for one that did not, or for one that failed otherwise', () => {
    const failing = (id: string, says: Errno): string | null =>
      saidBy(id, ({ coordinator }) => {
        replaceMethod(
          coordinator.gpus[0].port,
          'copy',
          () =>
            function* () {
              return Errno.EIO;
            },
        );
        replaceMethod(
          coordinator.migrate.copies,
          'copyFromSystem',
          (right) =>
            function* (run) {
              return (yield* right(run)) === Errno.EIO ? says : Errno.OK;
            },
        );
      });
    expect(failing('M6', Errno.OK)).toContain('a copy failed with -EIO');
    expect(failing('M6', Errno.EIO)).toBeNull();
    expect(failing('E4', Errno.ENOMEM)).toContain('says -ENOMEM');
    expect(failing('E4', Errno.EIO)).toBeNull();
  });

  it('M10: a pinned page that is taken out of the page table', () => {
    const said = saidBy('M10', ({ coordinator }) => {
      const { pins } = coordinator.kernel;
      replaceMethod(pins, 'mayShare', () => (page) => {
        pins.pin(page);
        return true;
      });
    });
    expect(said).toContain('is about to be moved');
  });

  it("M10: a pinned page that has lost its mark as the process's own", () => {
    const reads = { op: 'mprotect', args: { buf: 'A', prot: 'r' } };
    const said = saidBy(
      'M10',
      ({ coordinator: { kernel } }) =>
        replaceMethod(kernel.pins, 'mayShare', () => (page) => {
          kernel.pins.pin(page);
          kernel.folios.clearFlag(page, FolioFlag.AnonExclusive);
          return true;
        }),
      program(1, 1, cpuWrite(), reads, gpuRead('gpu0')),
    );
    expect(said).toContain('is about to be moved');
  });

  it('M7: a folio that is not marked for a dirty entry', () => {
    const said = saidBy('M7', ({ coordinator: { kernel } }) =>
      replaceMethod(kernel.folios, 'setFlag', (right) => (page, flag) => {
        if (flag !== FolioFlag.Dirty) right(page, flag);
      }),
    );
    expect(said).toContain('was stored to, and its folio does not say so');
  });

  it('M13: a device that maps the pages of another owner', () => {
    const said = saidBy('M13', ({ coordinator }) => {
      const [{ dma }] = coordinator.vms;
      replaceMethod(dma, 'isCurrent', (right) => (...args) => {
        const { dpagemap } = coordinator.gpus[0];
        if (dpagemap !== null) dpagemap.pagemap.owner = pagemapOwner(77);
        replaceMethod(coordinator, 'ownerOf', () => () => pagemapOwner(78));
        return right(...args);
      });
    });
    expect(said).toContain('which has another owner');
  });

  it('D3: unmapped pages that are mapped again', () => {
    const said = saidBy('D3', ({ coordinator }) => {
      const [{ dma }] = coordinator.vms;
      replaceMethod(dma, 'pagesValid', (right) => (gpusvm, pages) => {
        const valid = right(gpusvm, pages);
        // The flag has been looked at by then, and nothing yields before the pages are mapped.
        if (pages.dmaAddrs !== null && !valid) pages.markUnmapped();
        return valid;
      });
    });
    expect(said).toContain('that were unmapped');
  });

  it('L1: an eviction that never has enough', () => {
    const said = saidBy('L1', ({ sched, coordinator }) =>
      replaceMethod(
        coordinator.gpuFaults,
        'runRounds',
        (right) =>
          function* (fault) {
            sched.at(PagemapStep.evict);
            for (let pass = 1; pass <= 3; pass++) sched.at(PagemapStep.evictRetry);
            return yield* right(fault);
          },
      ),
    );
    expect(said).toContain('begins pass 3');
  });

  it('L1: get_pages that has no deadline', () => {
    const said = saidBy('L1', ({ sched, coordinator }) => {
      const [{ dma }] = coordinator.vms;
      replaceMethod(
        dma,
        'getPages',
        (right) =>
          function* (...args) {
            const [, pages, , , start, end] = args;
            for (;;) {
              sched.at(GpuSvmStep.getPages, start, end - start, pages.device.index);
              yield* sched.sleep(600_000_000);
              sched.at(GpuSvmStep.getPagesRetry, start, end - start, pages.device.index, Errno.EAGAIN);
              if (sched.now() > 10_000_000_000) return yield* right(...args);
            }
          },
      );
    });
    expect(said).toContain('tries again after');
  });

  it('E1: an error that nobody knows of', () => {
    const said = saidBy('E1', ({ coordinator }) =>
      replaceMethod(
        coordinator.gpuFaults,
        'runRounds',
        () =>
          function* () {
            return Errno.ETIME;
          },
      ),
    );
    expect(said).toContain('-ETIME');
  });

  it('E2: a fault that was served and has bound nothing', () => {
    const said = saidBy('E2', ({ coordinator }) =>
      replaceMethod(
        coordinator.gpuFaults,
        'runRounds',
        () =>
          function* () {
            return Errno.OK;
          },
      ),
    );
    expect(said).toContain('nothing was bound');
  });

  it('E2: a migration that says nothing of the page that it left behind', () => {
    const held: BugOverlay['apply'] = ({ coordinator: { mm, kernel, migrate } }) => {
      replaceMethod(migrate, 'finishCopy', (right) => (devmem, details) => {
        const [range] = mm.vmas;
        kernel.folios.get(ptePfn(pteFromWord(mm.pageTable.get(range.start))));
        right(devmem, details);
      });
    };
    const silent: BugOverlay['apply'] = (machine) => {
      held(machine);
      replaceMethod(machine.coordinator.migrate, 'verdict', () => () => Errno.OK);
    };
    expect(saidBy('E2', silent)).toContain('succeeded, but');
    expect(saidBy('E2', held)).toBeNull();
  });

  it('E2: a request to bind that forgets its entries', () => {
    const forgets: BugOverlay['apply'] = (machine) =>
      everyDeviceVm(machine, ({ binder }) =>
        replaceMethod(
          binder,
          'bind',
          () =>
            function* () {
              return Errno.OK;
            },
        ),
      );
    expect(saidBy('E2', forgets, bindsObject)).toContain('succeeded and bound none');
    expect(saidBy('E2', () => {}, bindsObject)).toBeNull();
  });

  it('E3: a fault that turns another error into a lack of memory', () => {
    const said = saidBy('E3', ({ coordinator }) =>
      replaceMethod(
        coordinator.gpuFaults,
        'runRounds',
        () =>
          function* () {
            return Errno.ENOMEM;
          },
      ),
    );
    expect(said).toContain('nothing lacked memory');
  });

  it('E3: a bind and a prefetch that say the same', () => {
    const prefetch = program(1, 1, cpuWrite(), {
      op: 'prefetch',
      args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1, target: 'gpu0' },
    });
    const says = saidBy(
      'E3',
      ({ coordinator: { gpuFaults } }) => replaceMethod(gpuFaults, 'mayServe', () => () => Errno.ENOMEM),
      prefetch,
    );
    expect(says).toContain('driver.prefetchDone');
    const refuses: BugOverlay['apply'] = (machine) =>
      everyDeviceVm(machine, ({ binder }) =>
        replaceMethod(
          binder,
          'bind',
          () =>
            function* () {
              return Errno.ENOMEM;
            },
        ),
      );
    expect(saidBy('E3', refuses, bindsObject)).toContain('driver.vmBound');
    for (const subject of [prefetch, bindsObject]) expect(saidBy('E3', () => {}, subject)).toBeNull();
  });

  it('E4: a request to bind that says another error than the one that stopped it', () => {
    const fails =
      (says: Errno): BugOverlay['apply'] =>
      (machine) => {
        replaceMethod(
          machine.coordinator.gpus[0].port,
          'finishBind',
          () =>
            function* () {
              return Errno.ENOMEM;
            },
        );
        everyDeviceVm(machine, ({ binder }) =>
          replaceMethod(
            binder,
            'bind',
            (right) =>
              function* (va) {
                return (yield* right(va)) === Errno.OK ? Errno.OK : says;
              },
          ),
        );
      };
    expect(saidBy('E4', fails(Errno.EIO), bindsObject)).toContain('but driver.vmBound says -EIO');
    expect(saidBy('E4', fails(Errno.ENOMEM), bindsObject)).toBeNull();
  });

  it('I6: a notifier that is freed while callbacks can find it', () => {
    const said = saidBy('I6', ({ coordinator }) =>
      replaceMethod(coordinator.mm.notifiers, 'remove', () => function* () {}),
    );
    expect(said).toContain('in the tree');
  });

  it('D4: a reservation that outlives its mappings', () => {
    const inPlace = program(
      1,
      2,
      cpuWrite(2),
      { op: 'svm_set_attr', args: { dev: 'gpu0', buf: 'A', attrs: { access_in_place: 'gpu0' } } },
      gpuRead('gpu0', 2),
      unmap(2),
    );
    const said = saidBy(
      'D4',
      ({ coordinator: { dma } }) => replaceMethod(dma.mapper, 'unmapReservation', () => () => {}),
      inPlace,
    );
    expect(said).toContain('keeps');
    expect(saidBy('D4', () => {}, inPlace)).toBeNull();
  });

  it('G2: a request that leaves other mappings than it should', () => {
    const bug = findBug('B65');
    if (bug === null) throw new Error('B65 is missing');
    expect(saidBy('G2', bug.apply, bug.subject)).toContain('left other mappings');
    expect(saidBy('G2', () => {}, bug.subject)).toBeNull();
  });

  it('R4: a list of steps that is not freed', () => {
    const bug = findBug('B103');
    if (bug === null) throw new Error('B103 is missing');
    expect(saidBy('R4', bug.apply, bug.subject)).toContain('has left 1 allocations of its list of steps');
    expect(saidBy('R4', () => {}, bug.subject)).toBeNull();
  });

  it('G6: a validation that takes the word of an object that is still away', () => {
    const pressed = bugCase({
      name: 'an object gives way to pages, and comes back',
      params: { vram_bytes: 2 * 2 ** 20 },
      steps: [
        ...mirrorOn(1),
        { op: 'gpuvm_bind_bo', args: { start: 0, end: 4, bo: 'X', bo_off: 0 } },
        ...hugeBuffer('A'),
        cpuWrite(),
        gpuWrite('gpu0'),
        gpuRead('gpu0'),
      ],
    });
    const forgets: BugOverlay['apply'] = (machine) =>
      everyDeviceVm(machine, ({ gpuvm }) =>
        replaceMethod(
          gpuvm.ops,
          'vmBoValidate',
          () =>
            function* () {
              return Errno.OK;
            },
        ),
      );
    expect(saidBy('G6', forgets, pressed)).toContain('but 1 of them are evicted');
    expect(saidBy('G6', () => {}, pressed)).toBeNull();
  });

  it('D7: a copy that does not wait for the clear of its destination', () => {
    const clears =
      (waits: boolean): BugOverlay['apply'] =>
      ({ coordinator: { vram, gpus, kernel } }) => {
        vram.clearsMemory = true;
        replaceMethod(
          gpus[0].port,
          'copy',
          (right) =>
            function* (src, dst, npages) {
              if (kernel.sched.self.name === 'clear of VRAM') yield* kernel.sched.sleep(1e6);
              return yield* right(src, dst, npages);
            },
        );
        if (!waits)
          replaceMethod(
            vram,
            'copyAfter',
            () => (_fence, port, src, dst, npages) => port.copy(src, dst, npages),
          );
      };
    expect(saidBy('D7', clears(false))).toContain('that is still being cleared');
    expect(saidBy('D7', clears(true))).toBeNull();
  });

  it('G5: a clear that makes room before its fence is signalled', () => {
    const frees =
      (isWrong: boolean): BugOverlay['apply'] =>
      ({ coordinator: { vram, gpus, calls, mm } }) => {
        vram.clearsMemory = true;
        if (!isWrong) return;
        replaceMethod(
          gpus[0].port,
          'copy',
          (right) =>
            function* (src, dst, npages) {
              yield* calls.reclaim.shrinkMm(mm);
              return yield* right(src, dst, npages);
            },
        );
      };
    expect(saidBy('G5', frees(true))).toContain('before its fence is signalled');
    expect(saidBy('G5', frees(false))).toBeNull();
  });

  it('I7: a range that callbacks can find before it is complete', () => {
    const said = saidBy('I7', ({ coordinator }) => {
      const [{ kernel, invalidation, gpus }] = coordinator.vms;
      replaceMethod(invalidation, 'rangeAlloc', (right) => (...args) => {
        const range = right(...args);
        if (range instanceof DriverRange) {
          const part = new RangeDevice(kernel.sched, gpus[0]);
          part.pages.flags = PagesFlag.HasDevmemPages;
          range.install([part]);
        }
        return range;
      });
    });
    expect(said).toContain('begins with');
  });

  it('M8: a CPU that is not told of a migration', () => {
    const said = saidBy('M8', ({ coordinator }) =>
      replaceMethod(coordinator.kernel, 'flushCpuTlbs', () => () => {}),
    );
    expect(said).toContain('still has the translation');
  });

  it('M12: pages that become valid without all their addresses', () => {
    const said = saidBy('M12', ({ coordinator }) => {
      const [{ dma }] = coordinator.vms;
      replaceMethod(dma.mapper, 'mapAll', (right) => (pages, addrs, ...rest) => {
        const errno = right(pages, addrs, ...rest);
        addrs.fill(0);
        return errno;
      });
    });
    expect(said).toContain('no address');
  });

  it('L4: legal accesses that are refused', () => {
    const refused = (errno: Errno): string | null =>
      saidBy('L4', ({ coordinator }) =>
        replaceMethod(
          coordinator.gpuFaults,
          'runRounds',
          () =>
            function* () {
              return errno;
            },
        ),
      );
    expect(refused(Errno.EFAULT)).toContain('a legal access of gpu0');
    expect(refused(Errno.EPERM)).toContain('-EPERM');
    expect(refused(Errno.EIO)).toBeNull();
    const cpu = saidBy('L4', ({ coordinator }) =>
      replaceMethod(
        coordinator.calls.faults,
        'handle',
        () =>
          function* () {
            return Errno.EFAULT;
          },
      ),
    );
    expect(cpu).toContain('a legal access of the CPU');
  });

  it('L4: illegal accesses that are not refused', () => {
    const reads = { op: 'mprotect', args: { buf: 'A', prot: 'r' } };
    const gone = program(1, 1, cpuWrite(), unmap(), gpuRead('gpu0'));
    const readOnly = program(1, 1, cpuWrite(), reads, gpuWrite('gpu0'));
    const readOnlyForCpu = program(1, 1, cpuWrite(), reads, cpuWrite());
    const served: BugOverlay['apply'] = ({ coordinator: { gpuFaults, calls } }) => {
      const ok = function* (): Steps<typeof Errno.OK> {
        return Errno.OK;
      };
      replaceMethod(gpuFaults, 'runRounds', () => ok);
      replaceMethod(
        calls.faults,
        'handle',
        (right) => (mm, vma, page, write, flags) =>
          vma.isWritable ? right(mm, vma, page, write, flags) : ok(),
      );
    };
    expect(saidBy('L4', served, gone)).toContain('a load of gpu0 at');
    expect(saidBy('L4', served, readOnly)).toContain('that its area does not allow, is not refused');
    expect(saidBy('L4', served, readOnlyForCpu)).toContain('a store of the CPU');
    for (const subject of [gone, readOnly, readOnlyForCpu])
      expect(saidBy('L4', () => {}, subject)).toBeNull();
  });

  it('L5: pages that go home before their time', () => {
    const said = saidBy('L5', ({ coordinator }) => {
      const { migrate } = coordinator;
      replaceMethod(migrate, 'finishCopy', (right) => (devmem, details) => {
        right(devmem, { ...details, timesliceNs: 1e9 });
      });
      replaceMethod(migrate.home, 'timesliceLeft', () => () => 0);
    });
    expect(said).toContain('before their timeslice ends');
  });

  it('L6: an eviction that succeeds with pages left', () => {
    const said = saidBy('L6', ({ sched, coordinator }) =>
      replaceMethod(
        coordinator.migrate,
        'migrateToRam',
        (right) =>
          function* (fault) {
            for (const { dpagemap, npages, allocation } of coordinator.gpus[0].allocations) {
              sched.at(PagemapStep.evict, dpagemap.device.index, npages, allocation);
              sched.at(PagemapStep.evictDone, dpagemap.device.index, npages, Errno.OK);
            }
            return yield* right(fault);
          },
      ),
    );
    expect(said).toContain('pages of it are in use');
  });

  it('R2: a range that is used with no reference left', () => {
    const said = saidBy('R2', ({ coordinator }) =>
      replaceMethod(coordinator.gpuFaults.parts.binding, 'mayCommit', (right) => (fault, part) => {
        for (const range of coordinator.vms[0].gpusvm.allRanges()) range.refs = 0;
        return right(fault, part);
      }),
    );
    expect(said).toContain('is used, but nobody holds it');
  });

  it('R2: a worker that goes on after the end of its mirror', () => {
    const said = saidBy(
      'R2',
      ({ coordinator }) => {
        const [vm] = coordinator.vms;
        const { collector } = vm;
        replaceMethod(collector, 'disable', () => function* () {});
        replaceMethod(
          collector,
          'work',
          () =>
            function* () {
              yield* vm.vmLock.write();
              yield* collector.collectLocked();
              vm.vmLock.writeUnlock();
            },
        );
        replaceMethod(
          vm,
          'close',
          (right) =>
            function* () {
              const kept = [...vm.gpusvm.allRanges()].map((range) => vm.gpusvm.rangeGet(range));
              yield* right();
              for (const range of kept) if (range instanceof DriverRange) collector.add(range);
            },
        );
      },
      program(1, 1, gpuWrite('gpu0')),
    );
    expect(said).toContain('after the end of the mirror');
  });

  it('R2: a range that is made in a mirror which has ended, and which nobody else knows any more', () => {
    const said = saidBy(
      'R2',
      ({ coordinator, sched }) => {
        const [vm] = coordinator.vms;
        replaceMethod(
          vm,
          'close',
          (right) =>
            function* () {
              const [range] = [...vm.gpusvm.allRanges()].map((one) => vm.gpusvm.rangeGet(one));
              yield* right();
              replaceMethod(vm.gpusvm, 'findRange', () => () => range);
              Object.defineProperty(coordinator, 'vms', { value: [] });
              sched.at(GpuSvmStep.rangeInserted, range.start, range.npages, coordinator.mm.id);
            },
        );
      },
      program(1, 1, gpuWrite('gpu0')),
    );
    expect(said).toContain('was made after the end of the mirror');
  });

  it('R3: device pages of a pagemap that nobody holds', () => {
    const said = saidBy('R3', ({ coordinator }) => {
      const [{ dma }] = coordinator.vms;
      replaceMethod(dma.mapper, 'mapAll', (right) => (pages, ...rest) => {
        const errno = right(pages, ...rest);
        if (pages.dpagemap !== null) pages.dpagemap.hold = null;
        return errno;
      });
    });
    expect(said).toContain('that is gone');
  });
});
