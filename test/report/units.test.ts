/** Numbers with units. */

import { describe, expect, it } from 'vitest';
import {
  formatBandwidth,
  formatBytes,
  formatClock,
  formatCount,
  formatGBps,
  formatNs,
  formatRate,
  formatShare,
  perSecond,
  plural,
} from '../../src/report/units.js';

describe('units', () => {
  it('groups the digits of counts', () => {
    expect([0, 999, 1000, 1234567, 12.6].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567', '13']);
  });

  it('writes bytes in powers of two with three digits', () => {
    const bytes = [0, 512, 4096, 12.34 * 2 ** 20, 2 ** 30, 1000 * 2 ** 10];
    expect(bytes.map(formatBytes)).toEqual(['0B', '512B', '4KiB', '12.3MiB', '1GiB', '1000KiB']);
  });

  it('writes nanoseconds in the unit that leaves few digits', () => {
    const times = [0, 850, 12_345, 1_234_567, 2e9, 125e9];
    expect(times.map(formatNs)).toEqual(['0ns', '850ns', '12.3us', '1.23ms', '2s', '125s']);
  });

  it('goes to the next unit when rounding reaches it', () => {
    expect(formatNs(999.6)).toBe('1us');
    expect(formatNs(999_999)).toBe('1ms');
    expect(formatBytes(2 ** 20 - 1)).toBe('1MiB');
    expect(formatRate(999_999)).toBe('1M');
  });

  it('writes bandwidth and rates in powers of ten', () => {
    expect([812e6, 1.5e3, 26e9].map(formatBandwidth)).toEqual(['812MB/s', '1.5kB/s', '26GB/s']);
    expect([0, 12_345].map(formatRate)).toEqual(['0', '12.3k']);
  });

  it('gives every cell of a matrix the same decimals', () => {
    expect([11.2e9, 51.2e6, null].map(formatGBps)).toEqual(['11.200', '0.051', 'N/A']);
  });

  it('writes times of day-like lengths, never negative ones', () => {
    expect([-5, 400, 12_000, 725_000, 3_725_000].map(formatClock)).toEqual([
      '00m:00s',
      '00m:00s',
      '00m:12s',
      '12m:05s',
      '1h:02m:05s',
    ]);
  });

  it('divides by time only where there is some', () => {
    expect(perSecond(100, 2e9)).toBe(50);
    expect(perSecond(100, 0)).toBe(0);
  });

  it('writes shares and plurals', () => {
    expect(formatShare(0.234)).toBe('23%');
    expect([plural(1, 'seed'), plural(0, 'seed'), plural(1200, 'seed')]).toEqual([
      '1 seed',
      '0 seeds',
      '1,200 seeds',
    ]);
  });
});
