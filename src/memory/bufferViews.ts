/** Views of a shared buffer, made once for all who open it: making one takes as long as several steps of the protocol. */

export class BufferViews {
  readonly bytes: Uint8Array;
  readonly int32s: Int32Array;
  readonly uint32s: Uint32Array;
  readonly float32s: Float32Array;
  readonly float64s: Float64Array;

  private constructor(buffer: SharedArrayBuffer) {
    const doubles = Math.floor(buffer.byteLength / Float64Array.BYTES_PER_ELEMENT);
    const words = Math.floor(buffer.byteLength / Int32Array.BYTES_PER_ELEMENT);
    this.bytes = new Uint8Array(buffer);
    this.int32s = new Int32Array(buffer, 0, words);
    this.uint32s = new Uint32Array(buffer, 0, words);
    this.float32s = new Float32Array(buffer, 0, words);
    this.float64s = new Float64Array(buffer, 0, doubles);
  }

  /** The same for the same buffer, as long as anybody uses it. */
  static of(buffer: SharedArrayBuffer): BufferViews {
    let views = known.get(buffer);
    if (views === undefined) {
      views = new BufferViews(buffer);
      known.set(buffer, views);
    }
    return views;
  }
}

const known = new WeakMap<SharedArrayBuffer, BufferViews>();
