/** Random numbers: one stream per seed and purpose, always the same. */

import { describe, expect, it } from 'vitest';
import { Random } from '../../src/sim/random.js';

function draw(random: Random, count: number): number[] {
  return Array.from({ length: count }, () => random.u32());
}

describe('random numbers', () => {
  it('are the same for the same seed and stream, on every machine', () => {
    expect(draw(new Random(1), 3)).toEqual(draw(new Random(1, 0), 3));
    expect(draw(new Random(1), 3)).toEqual([2466671647, 704075991, 1425070668]);
  });

  it('differ between seeds and between streams', () => {
    const seeds = [0, 1, 2, 3, -1, 2 ** 31].map((seed) => draw(new Random(seed), 4).join());
    const streams = [1, 2, 3].map((stream) => draw(new Random(0, stream), 4).join());
    expect(new Set([...seeds, ...streams]).size).toBe(9);
  });

  it('are unsigned 32-bit integers', () => {
    for (const value of draw(new Random(5), 1000)) expect(value >>> 0).toBe(value);
  });

  it('are spread evenly below a bound', () => {
    const random = new Random(7);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) counts[random.below(10)]++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it('in the unit interval never reach one', () => {
    const random = new Random(9);
    for (let i = 0; i < 1000; i++) {
      const value = random.unit();
      expect(value >= 0 && value < 1).toBe(true);
    }
  });
});
