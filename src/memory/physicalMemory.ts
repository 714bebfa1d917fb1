/** The bytes of every zone in one shared buffer, indexed by page frame number. */

import { assert } from '../base/assert.js';
import { PAGE_BYTES, PAGE_WORDS } from '../base/units.js';
import { BufferViews } from './bufferViews.js';
import type { Pfn } from './pfn.js';
import type { PhysicalLayout } from './physicalLayout.js';

const PAGE_DOUBLES = PAGE_BYTES / Float64Array.BYTES_PER_ELEMENT;

/**
 * One view of the physical address space per thread, all over the same buffer. Byte `b` of frame `p` is `bytes[p * 4096 + b]`;
 * indexes exceed 2^31, so they are made by multiplication, never by shifts. Fresh memory reads zero.
 */
export class PhysicalMemory {
  readonly buffer: SharedArrayBuffer;
  readonly layout: PhysicalLayout;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly uwords: Uint32Array;
  readonly floats: Float32Array;
  readonly doubles: Float64Array;

  constructor(buffer: SharedArrayBuffer, layout: PhysicalLayout) {
    assert(
      buffer.byteLength === layout.totalPages * PAGE_BYTES,
      'physical memory buffer does not match its layout',
    );
    this.buffer = buffer;
    this.layout = layout;
    const views = BufferViews.of(buffer);
    this.bytes = views.bytes;
    this.words = views.int32s;
    this.uwords = views.uint32s;
    this.floats = views.float32s;
    this.doubles = views.float64s;
  }

  /** Reserves the address space; the machine backs a page when it is first written. @throws RangeError when refused. */
  static allocate(layout: PhysicalLayout): PhysicalMemory {
    const sizeBytes = layout.totalPages * PAGE_BYTES;
    try {
      return new PhysicalMemory(new SharedArrayBuffer(sizeBytes), layout);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const gib = (sizeBytes / 2 ** 30).toFixed(2);
      throw new RangeError(`this machine refuses ${gib} GiB of simulated physical memory: ${error.message}`);
    }
  }

  /** Index of the first 32-bit word of a frame in `words`, `uwords` and `floats`. */
  wordIndex(page: number): number {
    return page * PAGE_WORDS;
  }

  /** Copies whole frames; the stretches may lie in any zones. @kernel copy_highpage, folio_copy */
  copyPages(dst: Pfn, src: Pfn, npages: number): void {
    this.checkFrames(dst, npages);
    this.checkFrames(src, npages);
    this.bytes.copyWithin(dst * PAGE_BYTES, src * PAGE_BYTES, (src + npages) * PAGE_BYTES);
  }

  /** @kernel clear_highpage */
  zeroPages(page: Pfn, npages: number): void {
    this.checkFrames(page, npages);
    // Of the views, this one is filled several times as fast as that of bytes.
    this.doubles.fill(0, page * PAGE_DOUBLES, (page + npages) * PAGE_DOUBLES);
  }

  /** Whether every byte of a frame is zero. */
  isZero(page: Pfn): boolean {
    const first = page * PAGE_WORDS;
    for (let at = first; at < first + PAGE_WORDS; at++) {
      if (this.words[at] !== 0) return false;
    }
    return true;
  }

  /** Both ends of a stretch must be frames of one zone: a copy that runs out of its zone is a protocol bug. */
  private checkFrames(page: Pfn, npages: number): void {
    const zone = this.layout.zoneOf(page);
    assert(npages > 0 && page + npages <= zone.firstPfn + zone.pages, 'page run leaves its zone');
  }
}
