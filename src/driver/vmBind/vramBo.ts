/** A buffer object in a device's memory that programs map by hand: pages that no CPU address space knows of. */

import { PAGE_BYTES, PAGE_WORDS } from '../../base/units.js';
import type { VramAllocationId } from '../../device/gpuPort.js';
import type { Reservation } from '../../drm/exec/dmaResv.js';
import { GemObject } from '../../drm/gpuvm/gemObject.js';
import { pfn as pfnOf } from '../../memory/pfn.js';
import type { PhysicalMemory } from '../../memory/physicalMemory.js';
import type { GpuHandle } from '../gpuHandle.js';

/** VRAM in one allocation of at most a page array's length. */
export interface VramPiece {
  readonly id: VramAllocationId;
  readonly pfns: Uint32Array;
}

/** Its VRAM is released with the last reference. @kernel xe_bo */
export class VramBo extends GemObject {
  /** Raw, one per page. */
  readonly pfns: Uint32Array;

  constructor(
    name: string,
    resv: Reservation,
    readonly gpu: GpuHandle,
    readonly pieces: readonly VramPiece[],
  ) {
    const pfns = pieces.flatMap((piece) => [...piece.pfns]);
    super(name, pfns.length, resv);
    this.pfns = Uint32Array.from(pfns);
    gpu.bos.add(this);
  }

  /** Sets all bytes of some pages, as the CPU does through the device's window. */
  fill(memory: PhysicalMemory, first: number, npages: number, byte: number): void {
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
    this.gpu.bos.delete(this);
    for (const { id } of this.pieces) this.gpu.port.releaseVram(id);
  }
}
