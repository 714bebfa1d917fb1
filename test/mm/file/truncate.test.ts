/** Truncation: what lay beyond the new end of a file is gone from memory and from every mapping, and touching it is an error. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import { DISK_FILE } from '../../../src/mm/file/fileType.js';
import type { MappedFile } from '../../../src/mm/file/mappedFile.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { PTE_NONE } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import {
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  pteOf,
  RecordingNotifier,
  run,
  runAll,
  StepRecorder,
  TestCpu,
} from '../harness.js';

const SHARED = 2 ** 34;
const PRIVATE = SHARED + 64;
const PAGES = 8;

interface Setup {
  readonly machine: Machine;
  readonly mm: Mm;
  readonly cpu: TestCpu;
  readonly file: MappedFile;
}

/** A file that is mapped shared and private, and stored to through both. */
function setup(seed = 1): Setup {
  const machine = makeMachine({ seed });
  const { kernel, calls } = machine;
  const mm = makeMm(kernel);
  const cpu = new TestCpu(machine, mm);
  const file = kernel.pageCache.create(PAGES, DISK_FILE);
  const args = { npages: PAGES, prot: Prot.Read | Prot.Write, file };
  run(
    kernel,
    calls.memoryMap.mmap(mm, { ...args, hint: vpn(SHARED), flags: MapFlag.Fixed | MapFlag.Shared }),
  );
  run(kernel, calls.memoryMap.mmap(mm, { ...args, hint: vpn(PRIVATE), flags: MapFlag.Fixed }));
  for (let i = 0; i < PAGES; i++) run(kernel, cpu.store(SHARED + i, 10 + i));
  run(kernel, cpu.store(PRIVATE + 6, 5));
  return { machine, mm, cpu, file };
}

describe('truncation', () => {
  it('unmaps what lies beyond the end inside CLEAR events, private copies too; a touch is -EFAULT, and a step says why', () => {
    const { machine, mm, cpu, file } = setup();
    const { kernel, calls } = machine;
    const mirror = new RecordingNotifier(kernel, mm, SHARED, PAGES);
    run(kernel, calls.truncate.truncate(file.mapping, 3));
    expect(new Set(mirror.take())).toEqual(new Set([`CLEAR ${SHARED + 3}+5`]));
    expect([pteOf(mm, SHARED + 3), pteOf(mm, PRIVATE + 6), file.mapping.pages.size]).toEqual([
      PTE_NONE,
      PTE_NONE,
      3,
    ]);
    const recorder = new StepRecorder(kernel);
    expect([SHARED + 3, PRIVATE + 6].map((page) => run(kernel, cpu.load(page)))).toEqual([
      Errno.EFAULT,
      Errno.EFAULT,
    ]);
    expect(recorder.take().filter((name) => name === 'fault.beyondFile')).toHaveLength(2);
    recorder.stop();
    expect(run(kernel, cpu.load(SHARED + 2))).toBe(12);
    checkAccounting(kernel, [mm]);
  });

  it('a file that grows again has zeros there, whatever the disk had', () => {
    const { machine, mm, cpu, file } = setup();
    const { kernel, calls } = machine;
    run(kernel, calls.reclaim.shrinkMm(mm));
    run(kernel, calls.truncate.truncate(file.mapping, 1));
    run(kernel, calls.truncate.truncate(file.mapping, PAGES));
    expect([0, 4].map((i) => run(kernel, cpu.load(SHARED + i)))).toEqual([10, 0]);
    checkAccounting(kernel, [mm]);
  });

  it('leaves no page mapped beyond the end, whatever is touched meanwhile', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { machine, mm, cpu, file } = setup(seed);
      const { kernel, calls } = machine;
      const other = new TestCpu(machine, mm, 1);
      run(kernel, calls.reclaim.shrinkMm(mm));
      runAll<unknown>(kernel, [
        cpu.load(SHARED + 5),
        other.store(PRIVATE + 5, 1),
        calls.truncate.truncate(file.mapping, 2),
      ]);
      expect([pteOf(mm, SHARED + 5), pteOf(mm, PRIVATE + 5)]).toEqual([PTE_NONE, PTE_NONE]);
      checkAccounting(kernel, [mm]);
    }
  });
});

it.each([1, 2, 3, 4, 5, 6])('two at once leave nothing of what one of them has cut off (seed %i)', (seed) => {
  const { machine, mm, cpu, file } = setup(seed);
  const { kernel, calls } = machine;
  const truncate = (npages: number): Steps<void> => calls.truncate.truncate(file.mapping, npages);
  runAll(kernel, [truncate(2), truncate(PAGES)]);
  expect([0, Errno.EFAULT]).toContain(run(kernel, cpu.load(SHARED + 5)));
  checkAccounting(kernel, [mm]);
});

it.each([1, 2, 3, 4, 5, 6])(
  'while a page is written back leaves nothing of it on the disk (seed %i)',
  (seed) => {
    const { machine, mm, cpu, file } = setup(seed);
    const { kernel, calls } = machine;
    const truncate = (npages: number): Steps<void> => calls.truncate.truncate(file.mapping, npages);
    runAll<unknown>(kernel, [truncate(2), calls.reclaim.shrinkMm(mm)]);
    run(kernel, truncate(PAGES));
    expect([2, 5, 7].map((i) => run(kernel, cpu.load(SHARED + i)))).toEqual([0, 0, 0]);
    checkAccounting(kernel, [mm]);
  },
);
