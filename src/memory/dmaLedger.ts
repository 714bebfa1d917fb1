/** What one device has mapped and unmapped by each protocol, as an account that holders of addresses can be compared with. */

import { type DmaAddr, DmaProto, dmaOrder, dmaProto } from './dmaAddr.js';

const PROTOS = Math.max(...Object.values(DmaProto)) + 1;

/**
 * An address names its protocol, page, direction and size, so an unmap that differs from its map in any of these leaves the sum of addresses
 * wrong, though the pages may add up. Nothing is kept per address: mapping is a hot path.
 */
export class DmaLedger {
  /** Pages mapped so far, by protocol. */
  private readonly maps: number[] = new Array<number>(PROTOS).fill(0);
  private readonly unmaps: number[] = new Array<number>(PROTOS).fill(0);
  private readonly sums: number[] = new Array<number>(PROTOS).fill(0);
  /** Unmaps that were not what had been mapped, in words; the first few. */
  readonly mismatches: string[] = [];

  map(addr: DmaAddr): void {
    const proto = dmaProto(addr);
    this.maps[proto] += 1 << dmaOrder(addr);
    this.sums[proto] += addr;
  }

  /** Single pages, of which the addresses add up to `sum`. */
  mapPages(proto: DmaProto, npages: number, sum: number): void {
    this.maps[proto] += npages;
    this.sums[proto] += sum;
  }

  /** Undoes {@link mapPages}. */
  unmapPages(proto: DmaProto, npages: number, sum: number): void {
    this.unmaps[proto] += npages;
    this.sums[proto] -= sum;
  }

  unmap(addr: DmaAddr): void {
    const proto = dmaProto(addr);
    this.unmaps[proto] += 1 << dmaOrder(addr);
    this.sums[proto] -= addr;
  }

  mismatch(what: string): void {
    if (this.mismatches.length < MISMATCHES_MAX) this.mismatches.push(what);
  }

  /** Pages mapped by the protocol now. */
  liveOf(proto: DmaProto): number {
    return this.maps[proto] - this.unmaps[proto];
  }

  /** Sum of the addresses that are mapped by the protocol now. */
  sumOf(proto: DmaProto): number {
    return this.sums[proto];
  }
}

const MISMATCHES_MAX = 16;
