/** Compares a page with what it must hold, and says where they differ. */

import { PAGE_WORDS, type Vpn } from '../base/units.js';
import type { Expectation } from './workload.js';

/** Sets what the words of a page of a buffer must be; `page` counts from the buffer's start. `expected` comes in zeroed. */
export type FillExpected = (page: number, expected: ExpectedPage) => void;

/** Scratch for one page: the same 4096 bytes as floats and as words. */
export class ExpectedPage {
  readonly words = new Int32Array(PAGE_WORDS);
  readonly floats = new Float32Array(this.words.buffer);
}

/** Expectation for a buffer of known content. `describe` says in words what element `element` must hold. */
export function contentExpectation(
  start: Vpn,
  npages: number,
  fill: FillExpected,
  describe: (element: number) => string,
): Expectation {
  const expected = new ExpectedPage();
  const check = (page: Vpn, words: Int32Array | null): string | null => {
    const index = page - start;
    expected.words.fill(0);
    fill(index, expected);
    const word = firstDifference(expected.words, words);
    if (word < 0) return null;
    const found = words === null ? 'nothing' : formatWord(words[word]);
    return `word ${word} is ${found}, must be ${formatWord(expected.words[word])}: ${describe(index * PAGE_WORDS + word)}`;
  };
  return { start, npages, check };
}

/** -1 for none. A page that is not there reads as zeros. */
function firstDifference(expected: Int32Array, words: Int32Array | null): number {
  for (let i = 0; i < PAGE_WORDS; i++) {
    if (expected[i] !== (words === null ? 0 : words[i])) return i;
  }
  return -1;
}

export function formatWord(word: number): string {
  return `0x${(word >>> 0).toString(16).padStart(8, '0')}`;
}
