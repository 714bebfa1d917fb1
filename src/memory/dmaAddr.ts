/** A page's address as one device sees it: through its IOMMU, in its own VRAM, or in a peer's. */

import { assert } from '../base/assert.js';
import type { Brand } from '../base/brand.js';

/** One entry of a DMA-address array; uint32; zero is "no address". @kernel drm_pagemap_addr */
export type DmaAddr = Brand<number, 'DmaAddr'>;

export const NO_DMA_ADDR = 0 as DmaAddr;

/** @kernel drm_interconnect_protocol */
export const DmaProto = {
  /** No memory at all: loads give zeros, stores go nowhere. `page` is the frame of zeros: driver-private. @kernel XE_PTE_NULL */
  Null: 0,
  /** `page` is an I/O virtual page of the device's IOMMU. @kernel DRM_INTERCONNECT_SYSTEM */
  System: 1,
  /** `page` is a pfn in the device's own VRAM: driver-private. @kernel DRM_INTERCONNECT_DRIVER */
  Vram: 2,
  /** `page` is a pfn in another device's VRAM, reached over the peer link: driver-private. */
  Peer: 3,
} as const;
export type DmaProto = (typeof DmaProto)[keyof typeof DmaProto];

/** @kernel dma_data_direction */
export const DmaDir = { Bidirectional: 0, ToDevice: 1, FromDevice: 2 } as const;
export type DmaDir = (typeof DmaDir)[keyof typeof DmaDir];

const PROTO_MASK = 0x3;
const DIR_SHIFT = 2;
const DIR_MASK = 0x3;
const ORDER_SHIFT = 4;
const ORDER_MASK = 0xf;
const PAGE_SHIFT = 10;
const PAGE_MAX = 2 ** 22 - 1;

/** `page` is a pfn or an I/O virtual page; at most 22 bits. The entry covers `1 << order` pages. @kernel drm_pagemap_addr_encode */
export function dmaAddr(proto: DmaProto, page: number, dir: DmaDir, order = 0): DmaAddr {
  assert(page >= 0 && page <= PAGE_MAX, 'a DMA page has at most 22 bits');
  return (((page << PAGE_SHIFT) | (order << ORDER_SHIFT) | (dir << DIR_SHIFT) | proto) >>> 0) as DmaAddr;
}

export function dmaProto(addr: DmaAddr): DmaProto {
  return (addr & PROTO_MASK) as DmaProto;
}

export function dmaDir(addr: DmaAddr): DmaDir {
  return ((addr >>> DIR_SHIFT) & DIR_MASK) as DmaDir;
}

export function dmaOrder(addr: DmaAddr): number {
  return (addr >>> ORDER_SHIFT) & ORDER_MASK;
}

export function dmaPage(addr: DmaAddr): number {
  return addr >>> PAGE_SHIFT;
}

/** The address of the page that lies `pages` behind, with the same order. */
export function dmaAddrPlus(addr: DmaAddr, pages: number): DmaAddr {
  return ((addr + (pages << PAGE_SHIFT)) >>> 0) as DmaAddr;
}

/** Reads an entry of an array of addresses; the array's owner vouches for its contents. */
export function dmaAddrAt(entries: Uint32Array, at: number): DmaAddr {
  return entries[at] as DmaAddr;
}
