/** Which areas become one: by flags, file, offsets and anon_vmas, in mmap, mprotect and mremap, as in Linux 6.12. */

import { beforeEach, describe, expect, it } from 'vitest';
import type { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import { VmFlag } from '../../../src/mm/area/vma.js';
import type { MappedFile } from '../../../src/mm/file/mappedFile.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { areasOf, checkAccounting, type Machine, makeMachine, makeMm, run, TestCpu } from '../harness.js';

const HIGH = 2 ** 34;
const TO = HIGH + 1000;
const RW = Prot.Read | Prot.Write;

let machine: Machine;
let mm: Mm;
let cpu: TestCpu;

beforeEach(() => {
  machine = makeMachine();
  mm = makeMm(machine.kernel);
  cpu = new TestCpu(machine, mm);
});

interface MapOptions {
  readonly prot?: number;
  readonly flags?: number;
  readonly file?: MappedFile;
  readonly fileOffset?: number;
}

function map(at: number, npages: number, { prot = RW, flags = 0, ...rest }: MapOptions = {}): void {
  const args = { hint: vpn(at), npages, prot, flags: flags | MapFlag.Fixed, ...rest };
  expect(run(machine.kernel, machine.calls.memoryMap.mmap(mm, args))).toBe(at);
}

const protect = (at: number, npages: number, prot: number): Errno =>
  run(machine.kernel, machine.calls.mprotect.mprotect(mm, vpn(at), npages, prot));
const store = (page: number): number => run(machine.kernel, cpu.store(page, 1));
const flagsAt = (page: number): number => mm.vmas.find(vpn(page))?.flags ?? -1;

/** Starts and lengths only. */
function shape(): string[] {
  return areasOf(mm).map((area) => area.split(' ')[0]);
}

describe('a new mapping', () => {
  it('joins neighbours with the same flags, on both sides', () => {
    map(HIGH, 2);
    map(HIGH + 4, 2);
    map(HIGH + 2, 2);
    expect(shape()).toEqual([`${HIGH}+6`]);
  });

  it.each([
    ['shared memory, of which each mapping is a file of its own', { flags: MapFlag.Shared }],
    ['uncharged memory', { flags: MapFlag.NoReserve }],
    ['locked memory', { flags: MapFlag.Locked }],
    ['another protection', { prot: Prot.Read }],
  ])('does not join %s', (_what, options) => {
    map(HIGH, 2);
    map(HIGH + 2, 2, options);
    map(HIGH + 4, 2);
    expect(shape()).toEqual([`${HIGH}+2`, `${HIGH + 2}+2`, `${HIGH + 4}+2`]);
  });

  it('of a file joins what continues it', () => {
    const file = machine.kernel.pageCache.create(8);
    map(HIGH, 2, { file });
    map(HIGH + 2, 2, { file, fileOffset: 2 });
    map(HIGH + 4, 2, { file, fileOffset: 5 });
    map(HIGH + 6, 1, { file: machine.kernel.pageCache.open(file, true), fileOffset: 7 });
    expect(shape()).toEqual([`${HIGH}+4`, `${HIGH + 4}+2`, `${HIGH + 6}+1`]);
    expect(file.references).toBe(3);
    checkAccounting(machine.kernel, [mm]);
  });

  it('between two areas with different anon_vmas joins the lower one', () => {
    map(HIGH, 2);
    map(HIGH + 4, 2);
    store(HIGH);
    store(HIGH + 4);
    map(HIGH + 2, 2);
    expect(shape()).toEqual([`${HIGH}+4`, `${HIGH + 4}+2`]);
  });

  it('that is a driver’s is never merged', () => {
    const file = machine.kernel.pageCache.create(0, {
      name: 'device',
      servesFaults: false,
      waitsWithoutMmapLock: false,
      tracksDirty: false,
      insertsPages: true,
      isHugetlb: false,
    });
    map(HIGH, 1, { file });
    map(HIGH + 1, 1, { file, fileOffset: 1 });
    expect(shape()).toEqual([`${HIGH}+1`, `${HIGH + 1}+1`]);
  });
});

describe('mprotect', () => {
  it('charges private memory that becomes writable, and never takes it back once pages were written', () => {
    map(HIGH, 4, { prot: Prot.Read });
    expect(flagsAt(HIGH) & VmFlag.Account).toBe(0);
    protect(HIGH, 2, RW);
    protect(HIGH, 2, Prot.Read);
    expect(shape()).toEqual([`${HIGH}+4`]);
    protect(HIGH, 2, RW);
    store(HIGH);
    protect(HIGH, 2, Prot.Read);
    expect(shape()).toEqual([`${HIGH}+2`, `${HIGH + 2}+2`]);
    expect(flagsAt(HIGH) & VmFlag.Account).toBe(VmFlag.Account);
  });

  it('keeps private mappings of a file charged, and never charges shared ones', () => {
    const file = machine.kernel.pageCache.create(8);
    map(HIGH, 4, { file, prot: Prot.Read });
    protect(HIGH, 2, RW);
    protect(HIGH, 2, Prot.Read);
    expect(shape()).toEqual([`${HIGH}+2`, `${HIGH + 2}+2`]);
    map(TO, 4, { file, prot: Prot.Read, flags: MapFlag.Shared });
    protect(TO, 2, RW);
    protect(TO, 2, Prot.Read);
    expect(shape().slice(2)).toEqual([`${TO}+4`]);
  });

  it('moves a border between areas instead of cutting, where the neighbour agrees', () => {
    map(HIGH, 8);
    store(HIGH);
    protect(HIGH + 4, 4, Prot.Read);
    protect(HIGH + 2, 2, Prot.Read);
    expect(shape()).toEqual([`${HIGH}+2`, `${HIGH + 2}+6`]);
    protect(HIGH + 2, 3, RW);
    expect(shape()).toEqual([`${HIGH}+5`, `${HIGH + 5}+3`]);
    protect(HIGH + 5, 3, RW);
    expect(shape()).toEqual([`${HIGH}+8`]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('does not let an area with pages join one that never had any', () => {
    map(HIGH, 2);
    map(HIGH + 2, 2, { prot: RW | Prot.Exec });
    store(HIGH + 2);
    protect(HIGH + 2, 2, RW);
    expect(shape()).toEqual([`${HIGH}+2`, `${HIGH + 2}+2`]);
    protect(HIGH, 2, RW | Prot.Exec);
    protect(HIGH, 2, RW);
    expect(shape()).toEqual([`${HIGH}+4`]);
    checkAccounting(machine.kernel, [mm]);
  });
});

describe('mremap', () => {
  const move = (from: number, npages: number, target: number): number => {
    const flags = MremapFlag.MayMove | MremapFlag.Fixed;
    const args = { from: vpn(from), fromPages: npages, toPages: npages, flags, target: vpn(target) };
    return run(machine.kernel, machine.calls.mremap.mremap(mm, args));
  };

  it('gives memory that was never written the offsets of its new place, where it merges', () => {
    map(HIGH, 4);
    map(TO, 4);
    expect(move(HIGH, 4, TO + 4)).toBe(TO + 4);
    expect(shape()).toEqual([`${TO}+8`]);
  });

  it('keeps the offsets of pages, so that only what fits comes together again', () => {
    map(HIGH, 4);
    map(TO, 4);
    store(HIGH);
    move(HIGH + 2, 2, TO + 4);
    expect(shape()).toEqual([`${HIGH}+2`, `${TO}+4`, `${TO + 4}+2`]);
    move(TO + 4, 2, HIGH + 2);
    expect(shape()).toEqual([`${HIGH}+4`, `${TO}+4`]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('of memory next to itself merges before it leaves', () => {
    map(HIGH, 4);
    expect(move(HIGH, 4, HIGH + 4)).toBe(HIGH + 4);
    expect(shape()).toEqual([`${HIGH + 4}+4`]);
  });
});
