/** Packed page frame numbers: what goes in comes out, and nothing else. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import {
  HMM_PFN_STICKY,
  HmmPfnFlag,
  hmmPfn,
  hmmPfnAt,
  hmmPfnFlags,
  hmmPfnOrder,
  hmmPfnToPfn,
  hmmPfnWith,
  hmmPfnWithout,
  MigratePfnFlag,
  migratePfn,
  migratePfnAt,
  migratePfnToPfn,
  migratePfnWith,
  migratePfnWithout,
  NO_PFN,
  PFN_MAX,
  pfn,
} from '../../src/memory/pfn.js';

const frame = fc.integer({ min: 1, max: PFN_MAX }).map(pfn);

describe('pfn', () => {
  it('is an integer of at most 22 bits', () => {
    expect(pfn(PFN_MAX)).toBe(4194303);
    for (const bad of [-1, PFN_MAX + 1, 1.5, Number.NaN, 2 ** 32]) {
      expect(() => pfn(bad)).toThrow(AssertionFailure);
    }
  });
});

describe('migrate-pfn', () => {
  it('round-trips page and flags through a uint32', () => {
    fc.assert(
      fc.property(frame, fc.integer({ min: 0, max: 15 }), (page, flags) => {
        const entries = Uint32Array.of(migratePfn(page, flags));
        const entry = migratePfnAt(entries, 0);
        expect(migratePfnToPfn(entry)).toBe(page);
        expect(entry & 63).toBe(flags | MigratePfnFlag.VALID);
      }),
      { seed: 20250101 },
    );
  });

  it('names no page when it is a hole, even one to be migrated', () => {
    const hole = migratePfn(NO_PFN, MigratePfnFlag.MIGRATE);
    expect(migratePfnToPfn(hole)).toBe(NO_PFN);
    expect(hole).toBe(MigratePfnFlag.MIGRATE);
  });

  it('is never VALID without a page', () => {
    expect(() => migratePfn(NO_PFN, MigratePfnFlag.VALID)).toThrow(AssertionFailure);
    expect(() => migratePfn(pfn(1), 16)).toThrow(AssertionFailure);
  });

  it('can lose and regain MIGRATE without losing its page', () => {
    const entry = migratePfn(pfn(PFN_MAX), MigratePfnFlag.MIGRATE | MigratePfnFlag.WRITE);
    const stays = migratePfnWithout(entry, MigratePfnFlag.MIGRATE);
    expect(stays & MigratePfnFlag.MIGRATE).toBe(0);
    expect(migratePfnToPfn(stays)).toBe(PFN_MAX);
    expect(migratePfnWith(stays, MigratePfnFlag.MIGRATE)).toBe(entry);
  });
});

describe('hmm-pfn', () => {
  it('round-trips page, flags and order through a uint32', () => {
    fc.assert(
      fc.property(
        frame,
        fc.integer({ min: 0, max: 63 }),
        fc.integer({ min: 0, max: 15 }),
        (page, flags, order) => {
          const entries = Uint32Array.of(hmmPfn(page, flags | HmmPfnFlag.VALID, order));
          const entry = hmmPfnAt(entries, 0);
          expect(entry).toBe(hmmPfn(page, flags | HmmPfnFlag.VALID, order));
          expect(hmmPfnToPfn(entry)).toBe(page);
          expect(hmmPfnOrder(entry)).toBe(order);
          expect(hmmPfnFlags(entry)).toBe(flags | HmmPfnFlag.VALID);
        },
      ),
      { seed: 20250101 },
    );
  });

  it('shares bits between request and result', () => {
    expect(HmmPfnFlag.REQ_FAULT).toBe(HmmPfnFlag.VALID);
    expect(HmmPfnFlag.REQ_WRITE).toBe(HmmPfnFlag.WRITE);
    expect(hmmPfnToPfn(hmmPfn(NO_PFN, HmmPfnFlag.REQ_FAULT))).toBe(NO_PFN);
  });

  it('keeps just the three DMA flags over a walk', () => {
    expect(HMM_PFN_STICKY).toBe(HmmPfnFlag.DMA_MAPPED | HmmPfnFlag.P2PDMA | HmmPfnFlag.P2PDMA_BUS);
    expect(HMM_PFN_STICKY & (HmmPfnFlag.VALID | HmmPfnFlag.WRITE | HmmPfnFlag.ERROR)).toBe(0);
  });

  it('adds and drops flags without touching page or order', () => {
    const entry = hmmPfn(pfn(PFN_MAX), HmmPfnFlag.VALID, 9);
    const mapped = hmmPfnWith(entry, HmmPfnFlag.DMA_MAPPED);
    expect(hmmPfnToPfn(mapped)).toBe(PFN_MAX);
    expect(hmmPfnOrder(mapped)).toBe(9);
    expect(hmmPfnWithout(mapped, HmmPfnFlag.DMA_MAPPED)).toBe(entry);
  });

  it('never names a page that is not VALID', () => {
    expect(() => hmmPfn(pfn(7), HmmPfnFlag.WRITE)).toThrow(AssertionFailure);
    expect(() => hmmPfn(pfn(7), HmmPfnFlag.VALID, 16)).toThrow(AssertionFailure);
  });
});
