/** What a mirror device does with pages of files: it maps them, but cannot take them. */

import { describe, expect, it } from 'vitest';
import { vpn } from '../../../src/base/units.js';
import { MirrorProt } from '../../../src/driver/mirror/mirrorSnapshot.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import { DEVICE_FILE, type FileType, SHMEM_FILE } from '../../../src/mm/file/fileType.js';
import type { MappedFile } from '../../../src/mm/file/mappedFile.js';
import { run } from '../../mm/harness.js';
import { BUF, MirrorMachine } from './harness.js';

const PAGES = 4;
/** Where the second mapping begins, counted from the first. */
const SECOND = 1024;

function mapFile(m: MirrorMachine, file: MappedFile, off: number, flags: number): void {
  const { kernel, calls } = m.machine;
  const args = { hint: vpn(BUF + off), npages: PAGES, prot: Prot.Read | Prot.Write, file };
  const start = run(kernel, calls.memoryMap.mmap(m.mm, { ...args, flags: MapFlag.Fixed | flags }));
  expect(start).toBe(BUF + off);
}

/** A file that is mapped once, from `BUF` on. */
function machineWithFile(type: FileType, flags: number = MapFlag.Shared): [MirrorMachine, MappedFile] {
  const m = new MirrorMachine();
  const file = m.machine.kernel.pageCache.create(PAGES, type);
  mapFile(m, file, 0, flags);
  return [m, file];
}

describe('pages of a file', () => {
  it('are mapped and written in place', () => {
    const [m, file] = machineWithFile(SHMEM_FILE);
    expect(m.write(0, 0, PAGES, 7)).toBe('4/1');
    expect(m.machine.kernel.pageCache.read(file.mapping, 2)[0]).toBe(9);
    expect(m.snapshot(0, 0, PAGES)).toEqual(Array(PAGES).fill(MirrorProt.Write));
  });

  it('stay when they should migrate, and are not found where the device has not mapped them', () => {
    const [m] = machineWithFile(SHMEM_FILE);
    m.store(0, PAGES, 1);
    expect(m.toDevice(0, 0, PAGES)).toBe('-ENOENT');
    m.checkRules();
    expect(m.driver.devices[0].memory.usedPages).toBe(0);
    expect(m.load(0, PAGES)).toEqual([1, 2, 3, 4]);
  });

  it('are found in RAM where the device has mapped them, as nobody tells it of an attempt that stays within its own area', () => {
    const [m] = machineWithFile(SHMEM_FILE);
    m.write(0, 0, PAGES, 1);
    expect(m.toDevice(0, 0, PAGES)).toEqual([1, 2, 3, 4]);
    expect(m.snapshot(0, 0, PAGES)).toEqual(Array(PAGES).fill(MirrorProt.Write));
  });

  it('are unmapped from other areas only until no mapping is left, in the order in which the areas came', () => {
    const [m, file] = machineWithFile(SHMEM_FILE);
    mapFile(m, file, SECOND, MapFlag.Shared);
    m.write(0, 0, PAGES, 1);
    m.write(0, SECOND, PAGES, 1);
    expect(m.toDevice(0, SECOND, PAGES)).toEqual([1, 2, 3, 4]);
    m.write(0, 0, PAGES, 1);
    expect(m.toDevice(0, 0, PAGES)).toBe('-ENOENT');
  });

  it('go to the device once they were copied for a private mapping', () => {
    const [m, file] = machineWithFile(SHMEM_FILE, 0);
    m.store(0, PAGES, 5);
    expect(m.toDevice(0, 0, PAGES)).toEqual([5, 6, 7, 8]);
    expect(m.machine.kernel.pageCache.read(file.mapping, 0)[0]).toBe(0);
  });
});

describe('pages of a device file', () => {
  it('are mapped, but no migration begins there', () => {
    const [m] = machineWithFile(DEVICE_FILE);
    expect(m.snapshot(0, 0, PAGES)).toEqual(Array(PAGES).fill(MirrorProt.Write));
    expect(m.write(0, 0, PAGES, 3)).toBe('4/1');
    expect(m.toDevice(0, 0, PAGES)).toBe('-EINVAL');
    expect(m.toSystem(0, 0, PAGES)).toBe('-EINVAL');
    expect(m.load(0, PAGES)).toEqual([3, 4, 5, 6]);
  });
});
