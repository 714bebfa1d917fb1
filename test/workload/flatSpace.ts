/** A naive address space for tests of workloads: pages in a map, calls that take effect page by page, and faults and bugs on demand. */

import { Errno } from '../../src/base/errno.js';
import { PAGE_WORDS, type Vpn, vpn } from '../../src/base/units.js';
import { PhysicalLayout } from '../../src/memory/physicalLayout.js';
import { PhysicalMemory } from '../../src/memory/physicalMemory.js';
import type { Random } from '../../src/sim/random.js';
import { defineStep, type Steps } from '../../src/sim/steps.js';
import { MapFlag, Prot, RemapFlag } from '../../src/workload/workload.js';

const Step = { call: defineStep('flat.call'), fault: defineStep('flat.fault') } as const;

/** Chances from 0 to 1. */
export interface FlatFaults {
  /** An access faults although nothing is wrong, and is tried again. */
  readonly spurious: number;
  /** An access of a device is refused although nothing is wrong. */
  readonly refused: number;
}

/** Wrong behaviour that verification must find. */
export type FlatBug =
  /** madvise leaves the content of some pages. */
  | 'dropKeepsPage'
  /** munmap leaves the content of some pages to the next mapping. */
  | 'unmapKeepsPage'
  /** mremap arrives without the content of some pages. */
  | 'moveLosesPage'
  /** mprotect throws away the content of some pages. */
  | 'protectLosesPage'
  /** A page comes back from its move with what it held at the start of the call. */
  | 'moveBringsOldPage'
  /** Some stores of devices go to a page that nobody sees. */
  | 'storeIsLost';

export interface FlatOptions {
  readonly frames: number;
  readonly faults: FlatFaults;
  readonly bug: FlatBug | null;
}

/** How often a bug strikes, where it can. */
const BUG_CHANCE = 0.3;

export class FlatSpace {
  readonly memory: PhysicalMemory;
  /** By page: protection of the mapping. */
  private readonly mapped = new Map<number, number>();
  private readonly frames = new Map<number, number>();
  /** By page, for the CPU and for devices: what an access may do without a fault. A call takes it away when it gets to the page, not before. */
  private readonly translations = { cpu: new Map<number, number>(), device: new Map<number, number>() };
  private readonly free: number[] = [];
  private readonly sink: number;

  constructor(
    private readonly options: FlatOptions,
    private readonly random: Random,
  ) {
    const layout = new PhysicalLayout({ ramPages: options.frames, vram: [] });
    this.memory = PhysicalMemory.allocate(layout);
    for (let i = 0; i < options.frames; i++) this.free.push(layout.ram.firstPfn + i);
    this.sink = this.takeFrame();
  }

  isMapped(page: number): boolean {
    return this.mapped.has(page);
  }

  /** The page's words; null where nothing was ever stored or loaded. */
  wordsOf(page: number): Int32Array | null {
    const frame = this.frames.get(page);
    if (frame === undefined) return null;
    return this.memory.words.subarray(frame * PAGE_WORDS, (frame + 1) * PAGE_WORDS);
  }

  tryPage(page: Vpn, write: boolean, isDevice: boolean): number {
    const prot = this.translationsOf(isDevice).get(page) ?? 0;
    if ((prot & (write ? Prot.Write : Prot.Read)) === 0) return -1;
    if (this.chance(this.options.faults.spurious)) return -1;
    const frame = this.frames.get(page);
    if (frame === undefined) return -1;
    const strays = write && isDevice && this.strikes('storeIsLost');
    return (strays ? this.sink : frame) * PAGE_WORDS;
  }

  *fault(page: Vpn, write: boolean, isDevice: boolean): Steps<Errno> {
    yield Step.fault;
    if (isDevice && this.chance(this.options.faults.refused)) return write ? Errno.EPERM : Errno.EFAULT;
    const prot = this.mapped.get(page);
    if (prot === undefined) return Errno.EFAULT;
    if ((prot & (write ? Prot.Write : Prot.Read)) === 0) return isDevice ? Errno.EPERM : Errno.EFAULT;
    if (!this.frames.has(page)) this.frames.set(page, this.takeFrame());
    this.translationsOf(isDevice).set(page, prot);
    return Errno.OK;
  }

  *mmap(hint: Vpn, npages: number, prot: number, flags: number): Steps<number> {
    yield Step.call;
    if (npages <= 0) return Errno.EINVAL;
    if ((flags & MapFlag.FixedNoReplace) !== 0) {
      for (let page: number = hint; page < hint + npages; page++) {
        if (this.mapped.has(page)) return Errno.EEXIST;
      }
    }
    yield* this.unmapPages(hint, npages);
    for (let page: number = hint; page < hint + npages; page++) this.mapped.set(page, prot);
    return hint;
  }

  *munmap(start: Vpn, npages: number): Steps<Errno> {
    yield Step.call;
    if (npages <= 0) return Errno.EINVAL;
    yield* this.unmapPages(start, npages);
    return Errno.OK;
  }

  *mprotect(start: Vpn, npages: number, prot: number): Steps<Errno> {
    yield Step.call;
    for (let page: number = start; page < start + npages; page++) {
      if (!this.mapped.has(page)) return Errno.ENOMEM;
      this.mapped.set(page, prot);
    }
    for (let page: number = start; page < start + npages; page++) {
      this.invalidate(page);
      if (this.strikes('protectLosesPage')) this.dropFrame(page);
      if (this.isPopulated(page)) yield Step.call;
    }
    return Errno.OK;
  }

  *madvise(start: Vpn, npages: number): Steps<Errno> {
    yield Step.call;
    for (let page: number = start; page < start + npages; page++) {
      if (!this.mapped.has(page)) return Errno.ENOMEM;
      if (this.strikes('dropKeepsPage')) continue;
      if (this.isPopulated(page)) yield Step.call;
      this.dropFrame(page);
    }
    return Errno.OK;
  }

  *mremap(from: Vpn, npages: number, newPages: number, flags: number, to: Vpn): Steps<number> {
    yield Step.call;
    if (!this.mapped.has(from)) return Errno.EFAULT;
    const target = (flags & RemapFlag.Fixed) !== 0 ? to : from;
    const prot = this.mapped.get(from) ?? 0;
    if (target === from) return yield* this.resize(from, npages, newPages, prot);
    yield* this.unmapPages(target, newPages);
    if (npages > newPages) yield* this.unmapPages(vpn(from + newPages), npages - newPages);
    const old = this.copiesOf(from, npages);
    const keepsOld = (flags & RemapFlag.DontUnmap) !== 0;
    for (let i = 0; i < Math.min(npages, newPages); i++)
      yield* this.movePage(from + i, target + i, keepsOld, old[i]);
    for (let i = 0; i < newPages; i++) this.mapped.set(target + i, prot);
    return target;
  }

  private *resize(from: Vpn, npages: number, newPages: number, prot: number): Steps<number> {
    if (newPages < npages) yield* this.unmapPages(vpn(from + newPages), npages - newPages);
    for (let page = from + npages; page < from + newPages; page++) {
      if (this.mapped.has(page)) return Errno.ENOMEM;
      this.mapped.set(page, prot);
    }
    return from;
  }

  private *movePage(
    from: number,
    to: number,
    keepsOld: boolean,
    old: Int32Array | null | undefined,
  ): Steps<void> {
    if (!keepsOld) this.mapped.delete(from);
    if (!this.isPopulated(from)) return;
    yield Step.call;
    this.invalidate(from);
    const frame = this.frames.get(from);
    if (frame === undefined) return;
    this.frames.delete(from);
    this.frames.set(to, frame);
    if (this.strikes('moveLosesPage')) this.dropFrame(to);
    else if (old && this.strikes('moveBringsOldPage')) this.memory.words.set(old, frame * PAGE_WORDS);
  }

  /** Only a bug needs them. */
  private copiesOf(from: number, npages: number): (Int32Array | null)[] {
    if (this.options.bug !== 'moveBringsOldPage') return [];
    return Array.from({ length: npages }, (_, i) => this.wordsOf(from + i)?.slice() ?? null);
  }

  private *unmapPages(start: Vpn, npages: number): Steps<void> {
    for (let page: number = start; page < start + npages; page++) this.mapped.delete(page);
    for (let page: number = start; page < start + npages; page++) {
      if (!this.isPopulated(page)) continue;
      yield Step.call;
      if (this.strikes('unmapKeepsPage')) this.invalidate(page);
      else this.dropFrame(page);
    }
  }

  private translationsOf(isDevice: boolean): Map<number, number> {
    return isDevice ? this.translations.device : this.translations.cpu;
  }

  private invalidate(page: number): void {
    this.translations.cpu.delete(page);
    this.translations.device.delete(page);
  }

  private isPopulated(page: number): boolean {
    return this.frames.has(page);
  }

  private dropFrame(page: number): void {
    this.invalidate(page);
    const frame = this.frames.get(page);
    if (frame === undefined) return;
    this.frames.delete(page);
    this.memory.words.fill(0, frame * PAGE_WORDS, (frame + 1) * PAGE_WORDS);
    this.free.push(frame);
  }

  private takeFrame(): number {
    const frame = this.free.pop();
    if (frame === undefined) throw new Error('the test needs more frames');
    return frame;
  }

  private chance(share: number): boolean {
    return share > 0 && this.random.unit() < share;
  }

  private strikes(bug: FlatBug): boolean {
    return this.options.bug === bug && this.random.unit() < BUG_CHANCE;
  }
}
