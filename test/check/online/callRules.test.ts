/** Each rule about calls, locks, lives and requests that is watched step by step trips, and says what for: L, E, G and R. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { bugCase, hugeBuffer, mirrorOn } from '../../../src/bugs/bugCase.js';
import type { BugOverlay } from '../../../src/bugs/bugOverlay.js';
import { findBug } from '../../../src/bugs/catalogue.js';
import { everyDeviceVm } from '../../../src/bugs/everyDeviceVm.js';
import { replaceMethod } from '../../../src/bugs/replaceMethod.js';
import { DriverRange } from '../../../src/driver/driverRange.js';
import { GpuSvmStep } from '../../../src/drm/gpusvm/gpusvmStep.js';
import { PagemapStep } from '../../../src/drm/pagemap/pagemapStep.js';
import { pteFromWord, ptePfn } from '../../../src/mm/table/pte.js';
import { answering, cpuWrite, gpuRead, gpuWrite, program, saidBy, unmap } from './wrongRun.js';

const bindsObject = bugCase({
  name: 'an object is bound',
  steps: [{ op: 'gpuvm_bind_bo', args: { start: 0, end: 4, bo: 'X', bo_off: 0 } }],
});

describe('rules about calls, locks, lives and requests, watched step by step', () => {
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
      replaceMethod(coordinator.gpuFaults, 'runRounds', answering(Errno.ETIME)),
    );
    expect(said).toContain('-ETIME');
  });

  it('E2: a fault that was served and has bound nothing', () => {
    const said = saidBy('E2', ({ coordinator }) =>
      replaceMethod(coordinator.gpuFaults, 'runRounds', answering(Errno.OK)),
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
      everyDeviceVm(machine, ({ binder }) => replaceMethod(binder, 'bind', answering(Errno.OK)));
    expect(saidBy('E2', forgets, bindsObject)).toContain('succeeded and bound none');
    expect(saidBy('E2', () => {}, bindsObject)).toBeNull();
  });

  it('E3: a fault that turns another error into a lack of memory', () => {
    const said = saidBy('E3', ({ coordinator }) =>
      replaceMethod(coordinator.gpuFaults, 'runRounds', answering(Errno.ENOMEM)),
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
      everyDeviceVm(machine, ({ binder }) => replaceMethod(binder, 'bind', answering(Errno.ENOMEM)));
    expect(saidBy('E3', refuses, bindsObject)).toContain('driver.vmBound');
    for (const subject of [prefetch, bindsObject]) expect(saidBy('E3', () => {}, subject)).toBeNull();
  });

  it('E4: a request to bind that says another error than the one that stopped it', () => {
    const fails =
      (says: Errno): BugOverlay['apply'] =>
      (machine) => {
        replaceMethod(machine.coordinator.gpus[0].port, 'finishBind', answering(Errno.ENOMEM));
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
      everyDeviceVm(machine, ({ gpuvm }) => replaceMethod(gpuvm.ops, 'vmBoValidate', answering(Errno.OK)));
    expect(saidBy('G6', forgets, pressed)).toContain('but 1 of them are evicted');
    expect(saidBy('G6', () => {}, pressed)).toBeNull();
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

  it('L4: legal accesses that are refused', () => {
    const refused = (errno: Errno): string | null =>
      saidBy('L4', ({ coordinator }) => replaceMethod(coordinator.gpuFaults, 'runRounds', answering(errno)));
    expect(refused(Errno.EFAULT)).toContain('a legal access of gpu0');
    expect(refused(Errno.EPERM)).toContain('-EPERM');
    expect(refused(Errno.EIO)).toBeNull();
    const cpu = saidBy('L4', ({ coordinator }) =>
      replaceMethod(coordinator.calls.faults, 'handle', answering(Errno.EFAULT)),
    );
    expect(cpu).toContain('a legal access of the CPU');
  });

  it('L4: illegal accesses that are not refused', () => {
    const reads = { op: 'mprotect', args: { buf: 'A', prot: 'r' } };
    const gone = program(1, 1, cpuWrite(), unmap(), gpuRead('gpu0'));
    const readOnly = program(1, 1, cpuWrite(), reads, gpuWrite('gpu0'));
    const readOnlyForCpu = program(1, 1, cpuWrite(), reads, cpuWrite());
    const served: BugOverlay['apply'] = ({ coordinator: { gpuFaults, calls } }) => {
      const ok = answering(Errno.OK)();
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
