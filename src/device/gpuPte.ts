/** The word of a GPU page-table entry, which is also what the GPU's TLB holds. */

import { assert } from '../base/assert.js';
import type { Brand } from '../base/brand.js';
import { type DmaAddr, DmaDir, DmaProto, dmaDir, dmaPage, dmaProto, NO_DMA_ADDR } from '../memory/dmaAddr.js';

/** Zero, or valid, write and atomic bits, {@link DmaProto} and a 22-bit page: 27 bits, so always a small integer. */
export type GpuPte = Brand<number, 'GpuPte'>;

/** Nothing is mapped. */
export const NO_GPU_PTE = 0 as GpuPte;

const VALID = 1;
const WRITE = 2;
/** @kernel XE_USM_PPGTT_PTE_AE */
const ATOMIC = 4;
const PROTO_SHIFT = 3;
const PROTO_MASK = 3;
const PAGE_SHIFT = 5;

/** The entry for page `index` of the `1 << order` pages that an address covers. A store must be possible where `write` allows it; `atomics` needs it. */
export function gpuPte(addr: DmaAddr, index: number, write: boolean, atomics = true): GpuPte {
  assert(addr !== NO_DMA_ADDR, 'GPU page-table entry without an address');
  assert(
    !write || dmaDir(addr) !== DmaDir.ToDevice,
    'writable GPU page-table entry over a read-only DMA mapping',
  );
  return (((dmaPage(addr) + index) << PAGE_SHIFT) |
    (dmaProto(addr) << PROTO_SHIFT) |
    (write ? (atomics ? ATOMIC | WRITE | VALID : WRITE | VALID) : VALID)) as GpuPte;
}

/** By how much the entries of consecutive pages behind one address differ. */
export const GPU_PTE_PAGE_STEP = 1 << PAGE_SHIFT;

export function gpuPteIsValid(pte: GpuPte): boolean {
  return (pte & VALID) !== 0;
}

export function gpuPteIsWritable(pte: GpuPte): boolean {
  return (pte & WRITE) !== 0;
}

/** Whether atomics may go through the entry, if the device can do them on such memory. */
export function gpuPteAllowsAtomics(pte: GpuPte): boolean {
  return (pte & ATOMIC) !== 0;
}

/** Whether an access may go through the entry; false for an empty one. */
export function gpuPteAllows(pte: GpuPte, write: boolean): boolean {
  return (pte & (write ? WRITE : VALID)) !== 0;
}

export function gpuPteProto(pte: GpuPte): DmaProto {
  return ((pte >>> PROTO_SHIFT) & PROTO_MASK) as DmaProto;
}

/** An I/O page where the protocol is System, else a pfn. */
export function gpuPtePage(pte: GpuPte): number {
  return pte >>> PAGE_SHIFT;
}

/** Whether two entries name the same page, whatever they allow. */
export function gpuPteSamePage(a: GpuPte, b: GpuPte): boolean {
  return a >>> PROTO_SHIFT === b >>> PROTO_SHIFT;
}

/** Reads an entry of an array of them; the array's owner vouches for its contents. */
export function gpuPteAt(words: Uint32Array, at: number): GpuPte {
  return words[at] as GpuPte;
}

/** A word of a page table that holds nothing but entries made by {@link gpuPte}. */
export function gpuPteOfWord(word: number): GpuPte {
  return word as GpuPte;
}

const PROTO_NAMES: Readonly<Record<DmaProto, string>> = {
  [DmaProto.Null]: 'no memory, but zeros of pfn',
  [DmaProto.System]: 'I/O page',
  [DmaProto.Vram]: 'own VRAM pfn',
  [DmaProto.Peer]: 'peer VRAM pfn',
};

/** `rw I/O page 0x12`: how messages print an entry. */
export function formatGpuPte(pte: GpuPte): string {
  if (!gpuPteIsValid(pte)) return 'nothing';
  const rights = gpuPteIsWritable(pte) ? 'rw' : 'ro';
  return `${rights} ${PROTO_NAMES[gpuPteProto(pte)]} 0x${gpuPtePage(pte).toString(16)}`;
}
