/** That each rule which is watched step by step trips on a protocol that is wrong on purpose, and on nothing else. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import type { BugOverlay } from '../../../src/bugs/bugOverlay.js';
import { everyDeviceVm } from '../../../src/bugs/everyDeviceVm.js';
import { bindA, dropA } from '../../../src/bugs/programs/userptr.js';
import { replaceMethod } from '../../../src/bugs/replaceMethod.js';
import { allCheckers } from '../../../src/check/online/allCheckers.js';
import { DriverRange, RangeDevice } from '../../../src/driver/driverRange.js';
import { Userptr } from '../../../src/driver/vmBind/userptr.js';
import { PagesFlag } from '../../../src/drm/gpusvm/pages.js';
import { subjectOf } from '../../../src/explore/subject.js';
import { SubjectRunner } from '../../../src/explore/subjectRunner.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { pagemapOwner } from '../../../src/mm/migrate/devPagemap.js';
import { HmmStep } from '../../../src/mm/mirror/hmm.js';
import { type NotifierRange, NotifyEvent } from '../../../src/mm/mirror/mmuNotifier.js';
import { PteBit, pteFromWord, pteWithout } from '../../../src/mm/table/pte.js';
import { RandomStrategy } from '../../../src/sim/virtual/randomStrategy.js';
import {
  answering,
  cpuRead,
  cpuWrite,
  gpuRead,
  program,
  roundTrip,
  saidBy,
  unmap,
  wrongRun,
} from './wrongRun.js';

const onlyFirstPage = (range: NotifierRange): NotifierRange => ({ ...range, end: vpn(range.start + 1) });

const twoReaders = program(2, 1, cpuWrite(), gpuRead('gpu0'), gpuRead('gpu1'), unmap());

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

  describe('of what a program has bound of the process', () => {
    const bindAndDrop = program(1, 1, cpuWrite(), bindA, dropA);
    const wrongCallback =
      (invalidate: (userptr: Userptr) => Userptr['invalidate']): BugOverlay['apply'] =>
      (machine) =>
        everyDeviceVm(machine, (deviceVm) =>
          replaceMethod(deviceVm, 'newUserptr', (right) => (...args) => {
            const userptr = right(...args);
            replaceMethod(userptr, 'invalidate', () => invalidate(userptr));
            return userptr;
          }),
        );

    it('I4: a callback that keeps the DMA mapping', () => {
      const keeps = wrongCallback(
        () =>
          function* (sub, _range, seq) {
            sub.setSeq(seq);
            return true;
          },
      );
      expect(saidBy('I4', keeps, bindAndDrop)).toContain('DMA mappings of what it has bound');
    });

    it('I5: a callback that does not store the sequence', () => {
      const forgets = wrongCallback((userptr) => {
        const right = Userptr.prototype.invalidate;
        return function* (sub, range, seq) {
          const done = yield* right.call(userptr, sub, range, seq);
          sub.setSeq(1);
          return done;
        };
      });
      expect(saidBy('I5', forgets, bindAndDrop)).toContain('with sequence 1');
    });

    it('nothing is wrong where a range of the same pages is not mapped any more, or leads elsewhere', () => {
      const beside = program(1, 1, cpuWrite(), gpuRead('gpu0'), cpuRead(), bindA);
      const ofPeer = program(
        2,
        1,
        cpuWrite(),
        { op: 'gpuvm_bind_userptr', args: { dev: 'gpu0', start: 0, end: 1, buf: 'A', buf_page: 0 } },
        gpuRead('gpu0'),
        { op: 'prefetch', args: { dev: 'gpu1', buf: 'A', target: 'gpu1' } },
        { op: 'gpu_store_va', args: { dev: 'gpu0', page: 0, value: 7 } },
      );
      for (const subject of [beside, ofPeer]) expect(wrongRun(allCheckers, () => {}, subject)).toBeNull();
    });
  });

  it('M6 and E4: a copy that fails and is taken for one that did not, or for one that failed otherwise', () => {
    const failing = (id: string, says: Errno): string | null =>
      saidBy(id, ({ coordinator }) => {
        replaceMethod(coordinator.gpus[0].port, 'copy', answering(Errno.EIO));
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

  it('M7: an entry that is taken, and one that is put back, without what it was marked with', () => {
    const taken = saidBy('M7', ({ coordinator: { rmap } }) =>
      replaceMethod(rmap, 'replaceByMigrationEntryAt', (right) => (table, slot, old) => {
        const last = right(table, slot, old);
        table.write(slot, pteWithout(pteFromWord(table.read(slot)), PteBit.Young));
        return last;
      }),
    );
    expect(taken).toMatch(/the migration entry at .* is young no more/);
    const restored = saidBy('M7', ({ coordinator: { rmap } }) =>
      replaceMethod(
        rmap,
        'mappingEntry',
        (right) =>
          (...args) =>
            pteWithout(right(...args), PteBit.SoftDirty),
      ),
    );
    expect(restored).toMatch(/what is mapped at .* is soft-dirty no more/);
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
});
