/** Splits work over devices, then over the contexts of each: contiguous shares that differ by at most one element. */

import { assert } from '../base/assert.js';

/** Elements from `start` up to, not including, `end`. */
export interface Share {
  readonly start: number;
  readonly end: number;
}

/** Part `index` of `parts`; exact while `total * parts` stays below 2^53. */
export function shareOf(total: number, parts: number, index: number): Share {
  return { start: shareStart(total, parts, index), end: shareStart(total, parts, index + 1) };
}

function shareStart(total: number, parts: number, index: number): number {
  return Math.floor((total * index) / parts);
}

/** The part that holds an element: the largest `index` with `floor(total * index / parts) <= element`. */
export function shareIndexOf(total: number, parts: number, element: number): number {
  return Math.ceil(((element + 1) * parts) / total) - 1;
}

/** A stretch of elements that one context works on. */
export interface Segment extends Share {
  readonly device: number;
  readonly context: number;
  /** Where the context's whole share starts. */
  readonly shareStart: number;
}

export class Partition {
  constructor(
    readonly total: number,
    readonly devices: number,
    readonly contexts: number,
  ) {
    assert(devices > 0 && contexts > 0, 'a partition needs a device and a context');
  }

  share(device: number, context: number): Share {
    const ofDevice = shareOf(this.total, this.devices, device);
    const { start, end } = shareOf(ofDevice.end - ofDevice.start, this.contexts, context);
    return { start: ofDevice.start + start, end: ofDevice.start + end };
  }

  /** The stretch of the owner of `start`, cut off at `end`. */
  segmentAt(start: number, end: number): Segment {
    assert(start >= 0 && start < this.total, () => `element ${start} of ${this.total}`);
    const device = shareIndexOf(this.total, this.devices, start);
    const ofDevice = shareOf(this.total, this.devices, device);
    const context = shareIndexOf(ofDevice.end - ofDevice.start, this.contexts, start - ofDevice.start);
    const share = this.share(device, context);
    return { device, context, shareStart: share.start, start, end: Math.min(end, share.end) };
  }
}
