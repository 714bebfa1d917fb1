/** Reads an array of DMA addresses as stretches: consecutive entries of one kind that lead to consecutive frames of one zone. */

import {
  type DmaAddr,
  DmaProto,
  dmaAddrAt,
  dmaAddrPlus,
  dmaOrder,
  dmaPage,
  dmaProto,
  NO_DMA_ADDR,
} from '../memory/dmaAddr.js';
import type { DmaResolver } from './dmaResolver.js';

/** Bits of an address below its page: protocol, direction, order. */
const KIND_MASK = 0x3ff;
const PAGE_STEP = KIND_MASK + 1;

/** What {@link DmaRuns.frame} is for entries that are empty. */
export const EMPTY_FRAME = 0;

/** A cursor that moves forward. One per side of a copy; it allocates nothing. */
export class DmaRuns {
  /** One past the last entry of the stretch. */
  end = 0;
  /** Protocol of the stretch; 0 for one of empty entries. */
  proto: DmaProto | 0 = 0;
  private entries: Uint32Array = new Uint32Array(0);
  /** The address of several pages that was met last: its entry, and one past the last that it covers. */
  private large: DmaAddr = NO_DMA_ADDR;
  private largeAt = 0;
  private largeEnd = 0;
  private start = 0;
  private firstFrame = EMPTY_FRAME;

  constructor(
    private readonly resolver: DmaResolver,
    /** Whether the frames are written to. */
    private readonly write: boolean,
  ) {}

  /**
   * Starts before entry `first`, with 0 in a new array. What was resolved earlier is forgotten, so this comes after each step of the task; which
   * address covers the entry is not.
   */
  open(entries: Uint32Array, first: number): void {
    this.entries = entries;
    this.end = first;
    if (first === 0) this.largeEnd = 0;
  }

  /** Frame of entry `at`: `EMPTY_FRAME` for no address, -1 for one that is not mapped. The stretch then holds `at`, and ends by `limit`. */
  frame(at: number, limit: number): number {
    if (at >= this.end) this.measure(at, limit);
    return this.firstFrame > 0 ? this.firstFrame + at - this.start : this.firstFrame;
  }

  /** Entries `[at, end)` are of no interest, but for an address among them that covers pages behind them. */
  pass(at: number, end: number): void {
    for (let i = at; i < end; i = Math.max(i + 1, this.largeEnd)) this.addrAt(i);
  }

  private measure(at: number, limit: number): void {
    const addr = this.addrAt(at);
    this.start = at;
    if (addr === NO_DMA_ADDR) {
      this.proto = 0;
      this.firstFrame = EMPTY_FRAME;
      this.end = this.endOfEmpty(at, limit);
      return;
    }
    this.proto = dmaProto(addr);
    this.firstFrame = this.resolver.frameOf(addr, this.write);
    if (this.firstFrame < 0) this.end = at + 1;
    else if (at < this.largeEnd) this.end = this.endOfLarge(at, Math.min(limit, this.largeEnd));
    else this.end = this.endOfRun(at, limit);
  }

  /** The address of one page: the entry at its place, or what an entry before it that covers several says. */
  private addrAt(at: number): DmaAddr {
    if (at >= this.largeEnd) {
      const addr = dmaAddrAt(this.entries, at);
      if (dmaOrder(addr) === 0) return addr;
      this.large = addr;
      this.largeAt = at;
      this.largeEnd = at + (1 << dmaOrder(addr));
    }
    return dmaAddrPlus(this.large, at - this.largeAt);
  }

  /** Frames behind one address of several pages: of VRAM they follow one another, I/O pages may lead anywhere. */
  private endOfLarge(at: number, limit: number): number {
    if (this.proto === DmaProto.Vram) return limit;
    const page = dmaPage(this.addrAt(at));
    let end = at + 1;
    while (end < limit && this.leadsTo(page + end - at, this.firstFrame + end - at)) end++;
    return end;
  }

  /** A page that is not the device's own, by its address of now. */
  private leadsTo(page: number, frame: number): boolean {
    const { iommu } = this.resolver;
    if (this.proto === DmaProto.Peer) return iommu.peers.allows(page, this.write);
    return iommu.translate(page, this.write) === frame;
  }

  private endOfEmpty(at: number, limit: number): number {
    let end = at + 1;
    while (end < limit && this.entries[end] === NO_DMA_ADDR) end++;
    return end;
  }

  /** Zones may touch in frame numbers, and two peers' addresses look alike, so a stretch also ends with its zone. */
  private endOfRun(at: number, limit: number): number {
    const zone = this.resolver.zoneOf(this.firstFrame);
    const zoneLimit = Math.min(limit, at + zone.firstPfn + zone.pages - this.firstFrame);
    return this.proto === DmaProto.System ? this.endOfIoRun(at, zoneLimit) : this.endOfVramRun(at, zoneLimit);
  }

  private endOfVramRun(at: number, limit: number): number {
    const { entries } = this;
    let end = at + 1;
    while (end < limit && entries[end] === entries[end - 1] + PAGE_STEP && this.isMapped(end)) end++;
    return end;
  }

  /** Memory of a peer is mapped page by page; its own a device always reaches. */
  private isMapped(at: number): boolean {
    if (this.proto !== DmaProto.Peer) return true;
    return this.resolver.iommu.peers.allows(dmaPage(dmaAddrAt(this.entries, at)), this.write);
  }

  /** I/O pages that follow one another may lead anywhere, so each is translated. */
  private endOfIoRun(at: number, limit: number): number {
    const { entries, write } = this;
    const { iommu } = this.resolver;
    const kind = entries[at] & KIND_MASK;
    let frame = this.firstFrame + 1;
    let end = at + 1;
    while (
      end < limit &&
      (entries[end] & KIND_MASK) === kind &&
      iommu.translate(dmaPage(dmaAddrAt(entries, end)), write) === frame
    ) {
      frame++;
      end++;
    }
    return end;
  }
}
