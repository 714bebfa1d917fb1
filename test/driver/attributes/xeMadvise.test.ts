/** xe's madvise per device: only what differs from the default is kept, and it bounds the ranges. */

import { describe, expect, it } from 'vitest';
import { vpn } from '../../../src/base/units.js';
import { Location } from '../../../src/driver/attributes/location.js';
import { AtomicMode, XeMadvise } from '../../../src/driver/attributes/xeMadvise.js';
import type { PageSpan } from '../../../src/drm/gpuvm/addressRange.js';

describe('XeMadvise', () => {
  it('keeps each attribute when another is set', () => {
    const advise = new XeMadvise();
    advise.setPreferred(vpn(0), vpn(8), 1, true);
    advise.setAtomics(vpn(4), vpn(12), AtomicMode.Cpu);
    expect(advise.find(vpn(5))).toEqual({ preferred: 1, onlySystemPages: true, atomics: AtomicMode.Cpu });
    expect(advise.find(vpn(9))).toMatchObject({ preferred: Location.Faulting, atomics: AtomicMode.Cpu });
    expect(advise.find(vpn(12))).toBeUndefined();
  });

  it('says for which spans something is news', () => {
    const advise = new XeMadvise();
    const news = (spans: readonly PageSpan[]): number[][] => spans.map(({ start, end }) => [start, end]);
    expect(news(advise.setAtomics(vpn(0), vpn(8), AtomicMode.Undefined))).toEqual([]);
    expect(news(advise.setAtomics(vpn(4), vpn(8), AtomicMode.Cpu))).toEqual([[4, 8]]);
    expect(news(advise.setAtomics(vpn(0), vpn(12), AtomicMode.Cpu))).toEqual([
      [0, 4],
      [8, 12],
    ]);
    expect(news(advise.setPreferred(vpn(0), vpn(4), Location.Faulting, true))).toEqual([[0, 4]]);
  });

  it('forgets what is set back to the default, and what was unmapped', () => {
    const advise = new XeMadvise();
    advise.setPreferred(vpn(0), vpn(8), Location.System, false);
    advise.setPreferred(vpn(0), vpn(4), Location.Faulting, false);
    expect([...advise.map].map(({ start, end }) => [start, end])).toEqual([[4, 8]]);
    advise.reset(vpn(0), vpn(8));
    expect(advise.map.size).toBe(0);
  });

  it('says how far the attributes around a page reach', () => {
    const advise = new XeMadvise();
    advise.setPreferred(vpn(8), vpn(16), 0, false);
    expect(advise.uniform(vpn(3), vpn(0), vpn(64))).toEqual({ start: 0, end: 8 });
    expect(advise.uniform(vpn(9), vpn(0), vpn(64))).toEqual({ start: 8, end: 16 });
    expect(advise.uniform(vpn(40), vpn(0), vpn(64))).toEqual({ start: 16, end: 64 });
    expect(advise.uniform(vpn(9), vpn(8), vpn(10))).toEqual({ start: 8, end: 10 });
  });
});
