/** What a call hands over beside its few numbers: one value of any shape, and the raw content of pages, in memory that caller and callee share. */

import { Packr } from 'msgpackr';
import { assert } from '../base/assert.js';

/** Room for the encoded value, behind its length. */
const VALUE_BYTES = 1024 * 1024;
const LENGTH_BYTES = 8;

/** Every value stands for itself: nothing of an earlier one is needed to read it. */
const packr = new Packr({ useRecords: false });

/**
 * One per CPU thread. The caller fills it before the call; the callee may read it until it replies, and may put its answer there; the
 * caller reads that before its next call. A thread with a payload makes one such call at a time.
 */
export class CallPayload {
  /** Raw data, from the first byte on: content of pages, a byte per page, whatever the call says. */
  readonly bytes: Uint8Array;
  /** The same memory as {@link bytes}. */
  readonly words: Int32Array;
  private readonly length: Int32Array;
  private readonly value: Uint8Array;

  constructor(buffer: SharedArrayBuffer, index: number, dataBytes: number) {
    const start = index * CallPayload.bytesFor(dataBytes);
    this.length = new Int32Array(buffer, start, 1);
    this.value = new Uint8Array(buffer, start + LENGTH_BYTES, VALUE_BYTES);
    this.bytes = new Uint8Array(buffer, start + LENGTH_BYTES + VALUE_BYTES, dataBytes);
    this.words = new Int32Array(buffer, start + LENGTH_BYTES + VALUE_BYTES, dataBytes / 4);
  }

  /** Of one payload whose data takes `dataBytes`, a multiple of 8. */
  static bytesFor(dataBytes: number): number {
    assert(dataBytes % 8 === 0, () => `${dataBytes} bytes of payload data are no multiple of 8`);
    return LENGTH_BYTES + VALUE_BYTES + dataBytes;
  }

  /** Takes the place of the value before: plain data, such as a list of attributes. */
  put(value: unknown): void {
    const encoded = packr.pack(value);
    assert(encoded.length <= VALUE_BYTES, () => `${encoded.length} bytes do not fit into a payload`);
    this.value.set(encoded);
    this.length[0] = encoded.length;
  }

  /** The value put last; both sides of a call agree on its type. Undefined if there was none. */
  get<T>(): T | undefined {
    const length = this.length[0];
    return length === 0 ? undefined : packr.unpack(this.value.slice(0, length));
  }

  /** No value. */
  clear(): void {
    this.length[0] = 0;
  }
}
