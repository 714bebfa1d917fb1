/** A buffer object that programs map by hand: pages in a device's memory that no CPU address space knows of, or in RAM while it is evicted. */

import { assert } from '../../base/assert.js';
import { PAGE_BYTES, PAGE_WORDS } from '../../base/units.js';
import type { VramAllocationId } from '../../device/gpuPort.js';
import type { DmaResv } from '../../drm/exec/dmaResv.js';
import { GemObject } from '../../drm/gpuvm/gemObject.js';
import { type DmaAddr, DmaDir } from '../../memory/dmaAddr.js';
import { pfn as pfnOf } from '../../memory/pfn.js';
import type { PhysicalMemory } from '../../memory/physicalMemory.js';
import type { GpuHandle } from '../gpuHandle.js';
import { type BoMemory, vramMemory } from '../vram/boMemory.js';
import type { VramResident } from '../vram/vramLru.js';

/** VRAM in one allocation of at most a page array's length. */
export interface VramPiece {
  readonly id: VramAllocationId;
  readonly pfns: Uint32Array;
}

/** Its memory is released with the last reference. @kernel xe_bo */
export class VramBo extends GemObject implements VramResident {
  /** Guarded by the reservation: held while the object moves, while a mapping of it is bound, and while the CPU stores to its pages. */
  memory: BoMemory;
  evicting = false;
  /** By which programs know it, also in reports of what has freed it; 0 for none. */
  handle = 0;
  /** Other devices for which the whole object is mapped where it is now, with an address per page. @kernel dma_buf_attachment */
  private readonly attached = new Map<GpuHandle, readonly DmaAddr[]>();

  /** In the device's memory at first. */
  constructor(
    name: string,
    override readonly resv: DmaResv,
    readonly gpu: GpuHandle,
    pieces: readonly VramPiece[],
  ) {
    const memory = vramMemory(gpu, pieces);
    super(name, memory.pfns.length, resv);
    this.memory = memory;
    gpu.bos.add(this);
    gpu.lru.add(this);
  }

  get isBusy(): boolean {
    return this.resv.isLocked;
  }

  /** Raw, one per page, wherever they are now. */
  get pfns(): Uint32Array {
    return this.memory.pfns;
  }

  /** The VRAM that it takes; none while it is evicted. */
  get pieces(): readonly VramPiece[] {
    return this.memory.pieces;
  }

  /** By which another device reaches the pages where they are now. The reservation is held. @kernel dma_buf_map_attachment */
  attach(gpu: GpuHandle): readonly DmaAddr[] {
    this.resv.assertHeld();
    assert(
      gpu !== this.gpu && this.memory.isVram,
      'an object is attached to its own device, or while it is evicted',
    );
    let addrs = this.attached.get(gpu);
    if (addrs === undefined) {
      addrs = Array.from(this.pfns, (page) => gpu.dmaMapResource(pfnOf(page), DmaDir.Bidirectional));
      this.attached.set(gpu, addrs);
    }
    return addrs;
  }

  /** The device has no entries for the object any more. @kernel dma_buf_unmap_attachment */
  detach(gpu: GpuHandle): void {
    for (const addr of this.attached.get(gpu) ?? []) gpu.dmaUnmapResource(addr);
    this.attached.delete(gpu);
  }

  /** The object is about to move: no device has entries for it. @kernel dma_buf_move_notify */
  detachAll(): void {
    for (const gpu of [...this.attached.keys()]) this.detach(gpu);
  }

  /** Addresses that another device has of the object; none while it is not attached. */
  attachmentOf(gpu: GpuHandle): readonly DmaAddr[] {
    return this.attached.get(gpu) ?? [];
  }

  /** Sets all bytes of some pages, as the CPU does through the device's window. The reservation is held. */
  fill(memory: PhysicalMemory, first: number, npages: number, byte: number): void {
    this.resv.assertHeld();
    for (let i = first; i < first + npages; i++) {
      const start = this.pfns[i] * PAGE_BYTES;
      memory.bytes.fill(byte, start, start + PAGE_BYTES);
    }
  }

  /** One 32-bit word of a page, unsigned. */
  load32(memory: PhysicalMemory, page: number, word: number): number {
    return memory.words[pfnOf(this.pfns[page]) * PAGE_WORDS + word] >>> 0;
  }

  protected override free(): void {
    assert(this.attached.size === 0, 'a buffer object is freed while it is attached to another device');
    this.gpu.bos.delete(this);
    this.gpu.lru.remove(this);
    this.memory.release();
  }
}
