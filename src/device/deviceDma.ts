/** The kernel's DMA interface of one device over its IOMMU: maps RAM for it, page by page or through a reservation, and keeps its ledger. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import {
  type DmaAddr,
  type DmaDir,
  DmaProto,
  dmaAddr,
  dmaDir,
  dmaOrder,
  dmaPage,
} from '../memory/dmaAddr.js';
import type { DmaIovaState } from '../memory/dmaIova.js';
import { DmaLedger } from '../memory/dmaLedger.js';
import type { Pfn } from '../memory/pfn.js';
import { iommuWordDir } from './iommu.js';
import type { IommuMapper } from './iommuMapper.js';

/** What `DrmDevice` says of these methods holds. @kernel device */
export class DeviceDma {
  readonly ledger = new DmaLedger();

  constructor(
    readonly index: number,
    readonly iommu: IommuMapper,
  ) {}

  dmaMapPage(pfn: Pfn, dir: DmaDir, order = 0): DmaAddr | Errno {
    const iova = this.iommu.map(pfn, dir, 1 << order);
    return iova < 0 ? (iova as Errno) : this.entered(iova, dir, order);
  }

  dmaUnmapPage(addr: DmaAddr): void {
    const iova = dmaPage(addr);
    this.checkDir(iova, dmaDir(addr));
    this.ledger.unmap(addr);
    this.iommu.unmap(iova, 1 << dmaOrder(addr));
  }

  dmaMapResource(frame: Pfn, dir: DmaDir, order = 0): DmaAddr {
    this.iommu.iommu.peers.map(frame, 1 << order, dir);
    const addr = dmaAddr(DmaProto.Peer, frame, dir, order);
    this.ledger.map(addr);
    return addr;
  }

  dmaUnmapResource(addr: DmaAddr): void {
    this.ledger.unmap(addr);
    this.iommu.iommu.peers.unmap(dmaPage(addr), 1 << dmaOrder(addr), dmaDir(addr));
  }

  dmaIovaTryAlloc(state: DmaIovaState, npages: number): boolean {
    return this.iommu.tryAlloc(state, npages);
  }

  dmaIovaLink(state: DmaIovaState, pfn: Pfn, offset: number, order: number, dir: DmaDir): DmaAddr | Errno {
    const errno = this.iommu.link(state, pfn, offset, 1 << order, dir);
    return errno === Errno.OK ? this.entered(state.addr + offset, dir, order) : errno;
  }

  dmaIovaLinkPages(
    state: DmaIovaState,
    frames: Uint32Array,
    npages: number,
    offset: number,
    dir: DmaDir,
    addrs: Uint32Array,
  ): number {
    const linked = this.iommu.linkPages(state, frames, npages, offset, dir);
    const first = state.addr + offset;
    const step = dmaAddr(DmaProto.System, first + 1, dir) - dmaAddr(DmaProto.System, first, dir);
    let addr: number = dmaAddr(DmaProto.System, first, dir);
    let done = 0;
    for (let i = 0; done < linked; i++) {
      if (frames[i] === 0) continue;
      addrs[i] = addr;
      addr += step;
      done++;
    }
    this.ledger.mapPages(DmaProto.System, linked, sumOfAddrs(first, linked, dir));
    return linked;
  }

  /** The IOMMU is looked into at each access, so there is nothing to flush. */
  dmaIovaSync(state: DmaIovaState, offset: number, npages: number): Errno {
    assert(offset + npages <= state.npages, 'a sync reaches beyond its reservation');
    return Errno.OK;
  }

  dmaIovaUnlink(state: DmaIovaState, offset: number, npages: number, dir: DmaDir): void {
    const first = state.addr + offset;
    const end = first + npages;
    const singlesEnd = this.iommu.unlinkPages(state, offset, npages, dir);
    this.ledger.unmapPages(DmaProto.System, singlesEnd - first, sumOfAddrs(first, singlesEnd - first, dir));
    if (singlesEnd === end) return;
    for (let iova = singlesEnd; iova < end; ) {
      const size = this.iommu.sizeAt(iova);
      assert(size > 0, 'an unlink of I/O pages that are not linked');
      this.checkDir(iova, dir);
      this.ledger.unmap(dmaAddr(DmaProto.System, iova, dir, orderOf(size)));
      iova += size;
    }
    this.iommu.unlink(state, singlesEnd - state.addr, end - singlesEnd);
  }

  dmaIovaFree(state: DmaIovaState): void {
    this.iommu.free(state);
  }

  private entered(iova: number, dir: DmaDir, order: number): DmaAddr {
    const addr = dmaAddr(DmaProto.System, iova, dir, order);
    this.ledger.map(addr);
    return addr;
  }

  /** An unmap must name the direction of its map. */
  private checkDir(iova: number, dir: DmaDir): void {
    const made = iommuWordDir(this.iommu.iommu.words[iova]);
    if (made === dir) return;
    this.ledger.mismatch(
      `I/O page ${iova} of gpu${this.index} was mapped in direction ${made} and unmapped in ${dir}`,
    );
  }
}

/** Of `npages` single I/O pages in a row. */
function sumOfAddrs(first: number, npages: number, dir: DmaDir): number {
  if (npages === 0) return 0;
  const last = first + npages - 1;
  return ((dmaAddr(DmaProto.System, first, dir) + dmaAddr(DmaProto.System, last, dir)) * npages) / 2;
}

function orderOf(npages: number): number {
  return 31 - Math.clz32(npages);
}
