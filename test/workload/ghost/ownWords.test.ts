/** What an actor knows of its own words. */

import { describe, expect, it } from 'vitest';
import { Survival } from '../../../src/workload/ghost/ghostRules.js';
import { OwnWords } from '../../../src/workload/ghost/ownWords.js';

describe('an own word', () => {
  it('is zero before the first store', () => {
    const words = new OwnWords();
    expect([words.valueOf(5), words.fate(5, 0, 0)]).toEqual([0, Survival.Gone]);
    words.resolve(5, 0, 3);
    expect(words.snapshot().keys).toHaveLength(0);
  });

  it('holds the last value until a zap that starts after the store has ended', () => {
    const words = new OwnWords();
    words.record(5, 100, 1, 1);
    words.record(5, 101, 2, 2);
    expect(words.valueOf(5)).toBe(101);
    expect([words.fate(5, 2, 2), words.fate(5, 2, 3), words.fate(5, 3, 3)]).toEqual([
      Survival.Kept,
      Survival.Open,
      Survival.Gone,
    ]);
  });

  it('has survived the zaps that ended before a load that showed it', () => {
    const words = new OwnWords();
    words.record(5, 100, 1, 2);
    expect(words.fate(5, 2, 2)).toBe(Survival.Open);
    words.resolve(5, 100, 2);
    expect(words.fate(5, 2, 2)).toBe(Survival.Kept);
    expect(words.fate(5, 2, 3)).toBe(Survival.Open);
  });

  it('stays zero once a load has shown zero', () => {
    const words = new OwnWords();
    words.record(5, 100, 1, 2);
    words.resolve(5, 0, 1);
    expect([words.valueOf(5), words.fate(5, 1, 2)]).toEqual([0, Survival.Gone]);
    words.record(5, 101, 2, 2);
    expect(words.fate(5, 2, 2)).toBe(Survival.Kept);
  });

  it('is sent with all that is known of it, however many there are', () => {
    const words = new OwnWords();
    for (let key = 0; key < 1000; key++) words.record(key * 7, key + 1, key % 3, (key % 3) + 1);
    const { keys, values, endedBefore, startedAfter } = words.snapshot();
    expect(keys).toHaveLength(1000);
    expect([keys[999], values[999], endedBefore[998], startedAfter[998]]).toEqual([6993, 1000, 2, 3]);
    values[0] = 0;
    expect(words.valueOf(0)).toBe(1);
  });
});
