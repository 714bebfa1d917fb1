/** Where a buffer object's pages are: in its device's memory, or, while it is evicted, in RAM. */

import type { Pfn } from '../../memory/pfn.js';
import type { Kernel } from '../../mm/kernel.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { VramPiece } from '../vmBind/vramBo.js';

/** @kernel ttm_resource */
export interface BoMemory {
  readonly isVram: boolean;
  /** Raw, one per page. */
  readonly pfns: Uint32Array;
  /** The VRAM that it takes. */
  readonly pieces: readonly VramPiece[];
  release(): void;
}

/** @kernel XE_PL_VRAM0 */
export function vramMemory(gpu: GpuHandle, pieces: readonly VramPiece[]): BoMemory {
  const pfns = Uint32Array.from(pieces.flatMap((piece) => [...piece.pfns]));
  const release = (): void => {
    for (const { id } of pieces) gpu.port.releaseVram(id);
  };
  return { isVram: true, pfns, pieces, release };
}

/** Each page with one reference. @kernel XE_PL_SYSTEM */
export function systemMemory(kernel: Kernel, pages: readonly Pfn[]): BoMemory {
  const release = (): void => {
    for (const page of pages) kernel.folios.put(page);
  };
  return { isVram: false, pfns: Uint32Array.from(pages), pieces: [], release };
}
