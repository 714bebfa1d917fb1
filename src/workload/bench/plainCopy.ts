/** The yardstick of migration: plain copies with `copyWithin`, in shared memory of their own. */

/** Copies before the first that counts. */
const WARMUPS = 2;

export class PlainCopy {
  private readonly bytes: Uint8Array;

  constructor(
    private readonly regionBytes: number,
    /** Of one copy. */
    private readonly sizeBytes: number,
  ) {
    this.bytes = new Uint8Array(new SharedArrayBuffer(2 * regionBytes));
    this.bytes.fill(1);
    for (let i = 0; i < WARMUPS; i++) this.copy();
  }

  /** Nanoseconds of this machine for `times` regions. */
  run(times = 1): number {
    const startMs = performance.now();
    for (let i = 0; i < times; i++) this.copy();
    return (performance.now() - startMs) * 1e6;
  }

  private copy(): void {
    for (let at = 0; at < this.regionBytes; at += this.sizeBytes) {
      this.bytes.copyWithin(this.regionBytes + at, at, at + this.sizeBytes);
    }
  }
}
