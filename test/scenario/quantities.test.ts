/** Sizes, durations and bandwidths as users write them. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatDuration,
  formatPages,
  formatRoundedSize,
  formatSize,
  parseBandwidthGBps,
  parseDurationNs,
  parseRate,
  parseSizeBytes,
  parseTimeCost,
  quantityPatterns,
} from '../../src/scenario/quantities.js';

describe('parseSizeBytes', () => {
  it.each([
    ['256MiB', 256 * 2 ** 20],
    ['64KiB', 65_536],
    ['1GiB', 2 ** 30],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['100B', 100],
    ['16pages', 65_536],
    ['1page', 4096],
    ['16 pages', 65_536],
    [4096, 4096],
    [0, 0],
  ])('reads %s', (text, bytes) => {
    expect(parseSizeBytes(text)).toBe(bytes);
  });

  it.each([
    '256MB',
    '256M',
    '256mib',
    '64',
    '-1KiB',
    'KiB',
    '1.0000001KiB',
    '1e3KiB',
    '',
    '9999999GiB',
    -1,
    1.5,
    Number.NaN,
    null,
    true,
    [],
  ])('refuses %s', (text) => {
    expect(parseSizeBytes(text)).toBeNull();
  });

  it('reads back whatever formatSize writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 46 }), (bytes) => {
        expect(parseSizeBytes(formatSize(bytes))).toBe(bytes);
      }),
    );
  });
});

describe('parseDurationNs', () => {
  it.each([
    ['20s', 20e9],
    ['500ms', 5e8],
    ['5us', 5000],
    ['7ns', 7],
    ['2min', 120e9],
    ['1h', 3600e9],
    ['0.1s', 1e8],
    ['4.35us', 4350],
    [0, 0],
  ])('reads %s', (text, ns) => {
    expect(parseDurationNs(text)).toBe(ns);
  });

  it.each(['20', 20, '20sec', '-1s', '0.5ns', '', 's', '1e3s', null])('refuses %s', (text) => {
    expect(parseDurationNs(text)).toBeNull();
  });

  it('reads back whatever formatDuration writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 48 }), (ns) => {
        expect(parseDurationNs(formatDuration(ns))).toBe(ns);
      }),
    );
  });
});

describe('parseBandwidthGBps', () => {
  it('reads decimal gigabytes and megabytes per second', () => {
    expect(parseBandwidthGBps('26GB/s')).toBe(26);
    expect(parseBandwidthGBps('47.9 GB/s')).toBe(47.9);
    expect(parseBandwidthGBps('500MB/s')).toBe(0.5);
  });

  it.each(['26', 26, '26GiB/s', '26Gb/s', 'GB/s', null])('refuses %s', (text) => {
    expect(parseBandwidthGBps(text)).toBeNull();
  });
});

describe('formats', () => {
  it('uses the largest unit without a fraction', () => {
    expect(formatSize(2 ** 30)).toBe('1GiB');
    expect(formatSize(1536 * 2 ** 10)).toBe('1536KiB');
    expect(formatSize(5000)).toBe('5000B');
    expect(formatSize(0)).toBe('0B');
    expect(formatPages(512)).toBe('2MiB');
    expect(formatDuration(60e9)).toBe('1min');
    expect(formatDuration(1500)).toBe('1500ns');
  });

  it('rounds amounts that nobody typed', () => {
    expect(formatRoundedSize(1.256 * 2 ** 30)).toBe('1.26GiB');
    expect(formatRoundedSize(3)).toBe('3B');
  });
});

describe('the patterns for editors', () => {
  const units = [
    '',
    'B',
    'KiB',
    'MiB',
    'pages',
    'page',
    'MB',
    'h',
    'min',
    's',
    'ms',
    'us',
    'ns',
    'sec',
    'GB/s',
    'MB/s',
    '/s',
  ];
  const amount = fc.tuple(
    fc.nat(2000),
    fc.constantFrom('', '.5', '.25', '.'),
    fc.constantFrom('', ' ', '  '),
    fc.constantFrom(...units),
  );
  const part = amount.map((parts) => parts.join(''));
  const joined = fc
    .tuple(part, fc.constantFrom('..', ' .. ', '+-', ' +- ', ' p99 ', '-'), part)
    .map((parts) => parts.join(''));
  const texts = fc.oneof(part, part, joined, fc.constantFrom('free', '0', '', '0..5us', '0 +- 1us'));
  const parsers = {
    size: parseSizeBytes,
    duration: parseDurationNs,
    cost: parseTimeCost,
    bandwidth: parseBandwidthGBps,
    rate: parseRate,
  };

  it.each(['size', 'duration', 'cost', 'bandwidth', 'rate'] as const)(
    'take every %s that is read, and of others only those with too small a part',
    (kind) => {
      const pattern = new RegExp(quantityPatterns[kind]);
      fc.assert(
        fc.property(texts, (text) => {
          const isRead = parsers[kind](text) !== null;
          if (isRead) expect(text).toMatch(pattern);
          // What is no whole number of bytes or nanoseconds, or goes backwards, only the parser can know.
          else if (!/\d\.\d|\.\.|p99/.test(text)) expect(text).not.toMatch(pattern);
        }),
        { numRuns: 2000 },
      );
    },
  );
});
