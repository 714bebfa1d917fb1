/** Huge pages on a mirror device: whole where both sides have a huge page, page by page elsewhere, with the same bytes either way. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { PMD_ORDER, PMD_PAGES, vpn } from '../../../src/base/units.js';
import { MirrorFlag } from '../../../src/driver/mirror/mirrorContext.js';
import { MirrorProt } from '../../../src/driver/mirror/mirrorSnapshot.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { pfn } from '../../../src/memory/pfn.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { isLeafAt } from '../../../src/mm/huge/hugeLeaf.js';
import { ptePfn } from '../../../src/mm/table/pte.js';
import { mapFixed, pteOf, run, StepRecorder } from '../../mm/harness.js';
import { BUF, MirrorMachine, type MirrorMachineOptions } from './harness.js';

const { Write, Pmd, DevPrivateLocal } = MirrorProt;
const ON_DEVICE = DevPrivateLocal | Write;

/** One huge page, whose page i holds i + 1. */
function hugeMachine(options: MirrorMachineOptions = {}): MirrorMachine {
  const m = new MirrorMachine({
    ramPages: 4 * PMD_PAGES,
    vramPages: [4 * PMD_PAGES, 2 * PMD_PAGES],
    chunkPages: 2 * PMD_PAGES,
    pagesPerStep: 64,
    ...options,
  });
  mapFixed(m.machine, m.mm, BUF, PMD_PAGES);
  advise(m, 0, PMD_PAGES, Madvise.HugePage);
  m.store(0, PMD_PAGES, 1);
  expect(isLeafAt(m.mm.pageTable, BUF)).toBe(true);
  return m;
}

function advise(m: MirrorMachine, off: number, npages: number, advice: Madvise): void {
  const { kernel, calls } = m.machine;
  expect(run(kernel, calls.madvise.madvise(m.mm, vpn(BUF + off), npages, advice))).toBe(Errno.OK);
}

const content = Array.from({ length: PMD_PAGES }, (_, i) => i + 1);

/** Takes RAM so that no huge page is left, but enough small ones; the result gives it back. */
function fragmentRam(m: MirrorMachine): () => void {
  const { kernel } = m.machine;
  const taken = [];
  for (let page = kernel.allocPage(); page !== 0; page = kernel.allocPage()) taken.push(page);
  const kept = taken.filter((page) => page % PMD_PAGES === 7);
  for (const page of taken) if (!kept.includes(page)) kernel.folios.put(page);
  return () => {
    for (const page of kept) kernel.folios.put(page);
  };
}

function headAt(m: MirrorMachine, off: number): number {
  return ptePfn(pteOf(m.mm, BUF + off));
}

describe('migration to the device', () => {
  it('takes a huge page as a whole, which one leaf maps there too', () => {
    const m = hugeMachine();
    expect(m.toDevice(0, 0, PMD_PAGES)).toEqual(content);
    expect(m.snapshot(0, 0, 2)).toEqual([ON_DEVICE | Pmd, ON_DEVICE | Pmd]);
    expect(m.machine.kernel.folios.order(pfn(headAt(m, 0)))).toBe(PMD_ORDER);
    m.check();
  });

  it('lets the device store to all of it without a fault', () => {
    const m = hugeMachine();
    expect(m.toDevice(0, 0, PMD_PAGES)).toEqual(content);
    expect(m.write(0, 0, PMD_PAGES, 100)).toBe(`${PMD_PAGES}/0`);
    expect(m.load(PMD_PAGES - 1)).toEqual([100 + PMD_PAGES - 1]);
    m.check();
  });

  it('fills a huge hole with a huge page of zeros, where the area wants huge pages', () => {
    const m = hugeMachine();
    advise(m, 0, PMD_PAGES, Madvise.DontNeed);
    expect(m.toDevice(0, 0, PMD_PAGES)).toEqual(content.map(() => 0));
    expect(m.snapshot(0, 5, 1)).toEqual([ON_DEVICE | Pmd]);
    m.check();
  });

  it('splits the huge page where the span covers a part of it', () => {
    const m = hugeMachine();
    expect(m.toDevice(0, 8, 100)).toEqual(content.slice(8, 108));
    expect(m.snapshot(0, 7, 2)).toEqual([Write, ON_DEVICE]);
    expect(m.load(0, PMD_PAGES)).toEqual(content);
    m.check();
  });

  it.each([
    ['allocation fails', MirrorFlag.FailAlloc, 2 * PMD_PAGES],
    ['memory comes in small chunks', 0, 128],
  ])('goes page by page where the %s', (_, flags, chunkPages) => {
    const m = hugeMachine({ chunkPages });
    m.driver.setFlags(m.contexts[0], flags);
    expect(m.toDevice(0, 0, PMD_PAGES)).toEqual(content);
    expect(m.snapshot(0, 0, 1)).toEqual([ON_DEVICE]);
    expect(m.driver.devices[0].memory.usedPages).toBe(PMD_PAGES);
    m.check();
  });

  it('leaves the page where it is, in one piece or in many, when the device has no room for all of it', () => {
    const m = hugeMachine({ vramPages: [256, 256], chunkPages: 128 });
    expect(m.toDevice(0, 0, PMD_PAGES)).toBe('-ENOENT');
    expect(m.driver.devices[0].memory.usedPages).toBe(256);
    expect(m.load(0, PMD_PAGES)).toEqual(content);
    m.check();
  });
});

describe('the way home', () => {
  it('brings the whole huge page at a CPU fault on one of its pages', () => {
    const m = hugeMachine();
    m.toDevice(0, 0, PMD_PAGES);
    expect(m.load(77)).toEqual([78]);
    expect(m.snapshot(0, 0, 1)).toEqual([Write | Pmd]);
    expect(m.driver.devices[0].memory.usedPages).toBe(0);
    expect(m.load(0, PMD_PAGES)).toEqual(content);
    m.check();
  });

  it('splits it where RAM has no huge page, and tells the driver', () => {
    const m = hugeMachine();
    m.toDevice(0, 0, PMD_PAGES);
    const recorder = new StepRecorder(m.machine.kernel);
    const giveBack = fragmentRam(m);
    expect(m.load(77)).toEqual([78]);
    expect(recorder.take('mirror')).toContain('mirror.split');
    recorder.stop();
    expect(isLeafAt(m.mm.pageTable, BUF)).toBe(false);
    expect(m.load(0, PMD_PAGES)).toEqual(content);
    expect(m.driver.devices[0].memory.usedPages).toBe(0);
    giveBack();
    m.check();
  });

  it('counts every page of it in a command', () => {
    const m = hugeMachine();
    m.toDevice(0, 0, PMD_PAGES);
    expect(m.toSystem(0, 0, PMD_PAGES)).toBe('512/0');
    expect(m.read(0, 0, PMD_PAGES)).toEqual(content);
    m.check();
  });

  it('brings a part of it in a command that names a part', () => {
    const m = hugeMachine();
    m.toDevice(0, 0, PMD_PAGES);
    expect(m.toSystem(0, 100, 12)).toBe('12/0');
    expect(m.snapshot(0, 99, 2)).toEqual([ON_DEVICE, Write]);
    expect(m.driver.devices[0].memory.usedPages).toBe(PMD_PAGES - 12);
    expect(m.load(0, PMD_PAGES)).toEqual(content);
    m.check();
  });

  it('comes with the eviction of the device', () => {
    const m = hugeMachine();
    m.toDevice(0, 0, PMD_PAGES);
    run(m.machine.kernel, m.driver.devices[0].evictAll());
    expect(m.snapshot(0, 0, 1)).toEqual([Write | Pmd]);
    expect(m.load(0, PMD_PAGES)).toEqual(content);
    m.check();
  });

  it('comes page by page with an eviction where RAM has no huge page', () => {
    const m = hugeMachine();
    m.toDevice(0, 0, PMD_PAGES);
    const giveBack = fragmentRam(m);
    run(m.machine.kernel, m.driver.devices[0].evictAll());
    expect(m.snapshot(0, 0, 1)).toEqual([Write]);
    expect(m.driver.devices[0].memory.usedPages).toBe(0);
    expect(m.load(0, PMD_PAGES)).toEqual(content);
    giveBack();
    m.check();
  });
});

describe('a large folio on the device of which a part is unmapped', () => {
  it('stays allocated as a whole until the last of its pages goes', () => {
    const m = hugeMachine();
    m.toDevice(0, 0, PMD_PAGES);
    const { kernel, calls } = m.machine;
    const head = pfn(headAt(m, 0));
    run(kernel, calls.memoryMap.munmap(m.mm, vpn(BUF), 200));
    expect(kernel.folios.testFlag(head, FolioFlag.Large)).toBe(true);
    expect(m.driver.devices[0].memory.usedPages).toBe(PMD_PAGES);
    run(kernel, calls.memoryMap.munmap(m.mm, vpn(BUF + 200), PMD_PAGES - 200));
    expect(m.driver.devices[0].memory.usedPages).toBe(0);
    m.check();
  });

  it('comes home page by page', () => {
    const m = hugeMachine();
    m.toDevice(0, 0, PMD_PAGES);
    run(m.machine.kernel, m.machine.calls.memoryMap.munmap(m.mm, vpn(BUF), 200));
    expect(m.load(300)).toEqual([301]);
    expect(m.snapshot(0, 299, 2)).toEqual([ON_DEVICE, Write]);
    expect(m.load(200, PMD_PAGES - 200)).toEqual(content.slice(200));
    expect(m.driver.devices[0].memory.usedPages).toBe(0);
    m.check();
  });
});
