/** A single-producer single-consumer ring of fixed-size messages in shared memory. */

import { assert } from '../base/assert.js';

/** Doubles per message: type, call number, and up to six arguments. Doubles carry page numbers up to 2^53 exactly. */
export const RING_SLOT_WORDS = 8;
export const RING_ARGS_MAX = RING_SLOT_WORDS - 2;

/** Head and tail lie 64 bytes apart, so that the two sides do not share a cache line. */
const HEADER_BYTES = 128;
const HEAD = 0;
const TAIL = 16;

/**
 * The producer alone writes the tail, the consumer alone the head; a slot belongs to the producer until the tail passes it (a
 * sequentially consistent store), so plain reads of its words are safe afterwards.
 */
export class Ring {
  private readonly control: Int32Array;
  /** The slots; a message's words are `slots[offset .. offset + RING_SLOT_WORDS)`. */
  readonly slots: Float64Array;
  private readonly mask: number;

  constructor(buffer: SharedArrayBuffer, byteOffset: number, capacity: number) {
    assert((capacity & (capacity - 1)) === 0, 'ring capacity must be a power of two');
    this.control = new Int32Array(buffer, byteOffset, HEADER_BYTES / 4);
    this.slots = new Float64Array(buffer, byteOffset + HEADER_BYTES, capacity * RING_SLOT_WORDS);
    this.mask = capacity - 1;
  }

  static bytesFor(capacity: number): number {
    return HEADER_BYTES + capacity * RING_SLOT_WORDS * 8;
  }

  /** Offset of the free slot to fill, or -1 when the ring is full. Producer only. */
  reserve(): number {
    const tail = this.control[TAIL];
    if (((tail - Atomics.load(this.control, HEAD)) | 0) > this.mask) return -1;
    return (tail & this.mask) * RING_SLOT_WORDS;
  }

  /** Publishes the slot that {@link reserve} returned. */
  commit(): void {
    Atomics.store(this.control, TAIL, (this.control[TAIL] + 1) | 0);
  }

  /** Offset of the oldest message, or -1 when there is none. Consumer only. */
  peek(): number {
    const head = this.control[HEAD];
    if (head === Atomics.load(this.control, TAIL)) return -1;
    return (head & this.mask) * RING_SLOT_WORDS;
  }

  /** Gives the slot that {@link peek} returned back to the producer. */
  release(): void {
    Atomics.store(this.control, HEAD, (this.control[HEAD] + 1) | 0);
  }

  /** Messages in flight; exact for either side only about its own end. */
  get depth(): number {
    return (Atomics.load(this.control, TAIL) - Atomics.load(this.control, HEAD)) | 0;
  }
}
