/** Codecs: what is written comes back, in the words that it was written to. */

import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { fieldCodec } from '../../src/sim/fieldCodec.js';

describe('fieldCodec', () => {
  it('gives back what it wrote, and leaves other words alone', () => {
    const codec = fieldCodec(['page', 'npages']);
    const words = new Float64Array(5).fill(7);
    codec.write(words, 2, { page: 2 ** 40, npages: -3 });
    expect([...words]).toEqual([7, 7, 2 ** 40, -3, 7]);
    expect(codec.read(words, 2)).toEqual({ page: 2 ** 40, npages: -3 });
  });

  it('does nothing for a message without fields', () => {
    const codec = fieldCodec([]);
    const words = [1, 2];
    codec.write(words, 0, {});
    expect(words).toEqual([1, 2]);
    expect(codec.read(words, 0)).toEqual({});
  });

  it('refuses what is no name', () => {
    expect(() => fieldCodec(['a; b'])).toThrow(AssertionFailure);
  });
});
