/** Deterministic data: the same index gives the same value in every actor, so that nothing needs to be sent to compare. */

/** Austin Appleby's MurmurHash3 finaliser over index and seed; unsigned 32 bits. */
export function hash32(seed: number, index: number): number {
  let h = (Math.imul(index, 0x9e3779b1) ^ seed) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** In [0, 1), a multiple of 2^-16 and so exact in a 32-bit float. */
export function hashUnit(seed: number, index: number): number {
  return (hash32(seed, index) >>> 16) / 65_536;
}
