/** Which checkers a user gets. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/base/userError.js';
import { allCheckers } from '../../../src/check/online/allCheckers.js';
import { chooseCheckers } from '../../../src/check/online/chooseCheckers.js';

const ids = (text: string, isAlone = false): string[] => chooseCheckers(text, isAlone).map(({ id }) => id);

describe('choosing checkers', () => {
  it('knows sets by name', () => {
    expect(chooseCheckers('all')).toEqual(allCheckers);
    expect(chooseCheckers('none')).toEqual([]);
    expect(chooseCheckers('cheap')).toEqual(allCheckers.filter(({ isCheap }) => isCheap));
    expect(chooseCheckers('cheap').length).toBeLessThan(allCheckers.length);
  });

  it('leaves out of all, in threads, what must look at other actors', () => {
    expect(ids('all', true)).toEqual(ids('cheap'));
  });

  it('takes invariants by name, in their own order', () => {
    expect(ids('M6, I3')).toEqual(['I3', 'M6']);
  });

  it('takes those that are looked at in any case, when all is at rest', () => {
    expect(ids('M3')).toEqual([]);
    expect(ids('M3,I3,G7')).toEqual(['I3']);
    expect(() => chooseCheckers('M3,Z9')).toThrow(/Z9, which is not known, .*when all is at rest: .*M3,/);
  });

  it('refuses what nobody watches, and says what there is', () => {
    expect(() => chooseCheckers('I3,I9')).toThrow(UserError);
    expect(() => chooseCheckers('I3,I9')).toThrow(
      /I9, which is not known, allowed: all, cheap, none, or a list of I1/,
    );
    expect(() => chooseCheckers('')).toThrow(UserError);
    expect(() => chooseCheckers('M8', true)).toThrow(/M8, which is not watched in threads/);
  });
});

describe('the page of the checkers', () => {
  it('has a row for each, as it says of itself', () => {
    const page = readFileSync('docs/checkers.md', 'utf8');
    for (const { id, title, isCheap } of allCheckers)
      expect(page).toContain(`| ${id} | ${title} | ${isCheap ? 'yes' : 'no'} |`);
  });
});
