/** Reads an array of DMA addresses as stretches: consecutive entries of one kind that lead to consecutive frames of one zone. */

import { assert } from '../base/assert.js';
import { DmaProto, dmaAddrAt, dmaOrder, dmaPage, dmaProto, NO_DMA_ADDR } from '../memory/dmaAddr.js';
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
  private start = 0;
  private firstFrame = EMPTY_FRAME;

  constructor(
    private readonly resolver: DmaResolver,
    /** Whether the frames are written to. */
    private readonly write: boolean,
  ) {}

  /** Starts before entry `first`. What was resolved earlier is forgotten, so this comes after each step of the task. */
  open(entries: Uint32Array, first: number): void {
    this.entries = entries;
    this.end = first;
  }

  /** Frame of entry `at`: `EMPTY_FRAME` for no address, -1 for one that is not mapped. The stretch then holds `at`, and ends by `limit`. */
  frame(at: number, limit: number): number {
    if (at >= this.end) this.measure(at, limit);
    return this.firstFrame > 0 ? this.firstFrame + at - this.start : this.firstFrame;
  }

  private measure(at: number, limit: number): void {
    const addr = dmaAddrAt(this.entries, at);
    this.start = at;
    if (addr === NO_DMA_ADDR) {
      this.proto = 0;
      this.firstFrame = EMPTY_FRAME;
      this.end = this.endOfEmpty(at, limit);
      return;
    }
    assert(dmaOrder(addr) === 0, 'a copy takes one DMA address per page');
    this.proto = dmaProto(addr);
    this.firstFrame = this.resolver.frameOf(addr, this.write);
    this.end = this.firstFrame < 0 ? at + 1 : this.endOfRun(at, limit);
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
