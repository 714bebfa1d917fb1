/** What a page holds, told shortly: pages of cases are filled by pattern, so a few numbers say all 1024 dwords. */

import { unreachable } from '../base/assert.js';
import { PAGE_WORDS } from '../base/units.js';
import type { Pattern } from './values.js';

/**
 * Dword j of the page is `first + j * step`, in 32 bits; or, where no such rule holds, what `words` says. Plain data: it crosses between
 * threads.
 */
export type PageContent =
  | { readonly kind: 'ramp'; readonly first: number; readonly step: number }
  | { readonly kind: 'words'; readonly words: Int32Array };

const BYTES_OF_WORD = 0x01010101;

/** What page `page` of a buffer holds that was filled by the pattern from its start on. */
export function patternContent(pattern: Pattern, page: number): PageContent & { kind: 'ramp' } {
  const start = page * PAGE_WORDS;
  switch (pattern.p) {
    case 'index':
      return { kind: 'ramp', first: (start + pattern.k) | 0, step: 1 };
    case 'neg_index':
      return { kind: 'ramp', first: -start | 0, step: -1 };
    case 'zero':
      return { kind: 'ramp', first: 0, step: 0 };
    case 'const':
      return { kind: 'ramp', first: pattern.v | 0, step: 0 };
    case 'byte':
      return { kind: 'ramp', first: (pattern.v * BYTES_OF_WORD) | 0, step: 0 };
    default:
      return unreachable(pattern);
  }
}

/** Stores page `page` of a buffer filled by the pattern at `words[base]` and after. */
export function fillPage(words: Int32Array, base: number, pattern: Pattern, page: number): void {
  const { first, step } = patternContent(pattern, page);
  if (step === 0) {
    words.fill(first, base, base + PAGE_WORDS);
    return;
  }
  for (let j = 0; j < PAGE_WORDS; j++) words[base + j] = first + j * step;
}

/** What the page at `words[base]` holds. */
export function contentOf(words: Int32Array, base: number): PageContent {
  const first = words[base];
  const step = (words[base + 1] - first) | 0;
  for (let j = 2; j < PAGE_WORDS; j++) {
    if (words[base + j] !== ((first + Math.imul(j, step)) | 0)) {
      return { kind: 'words', words: words.slice(base, base + PAGE_WORDS) };
    }
  }
  return { kind: 'ramp', first, step };
}

/** One dword of a page. */
export function wordAt(content: PageContent, index: number): number {
  return content.kind === 'words'
    ? content.words[index]
    : (content.first + Math.imul(index, content.step)) | 0;
}

export function sameContent(a: PageContent, b: PageContent): boolean {
  return firstDifference(a, b) < 0;
}

/** Index of the first dword that differs; -1 for none. */
export function firstDifference(a: PageContent, b: PageContent): number {
  if (a.kind === 'ramp' && b.kind === 'ramp' && a.step === b.step) return a.first === b.first ? -1 : 0;
  for (let j = 0; j < PAGE_WORDS; j++) {
    if (wordAt(a, j) !== wordAt(b, j)) return j;
  }
  return -1;
}

/** In words, for a report: `every dword 0x12`, `dwords 1024, 1025, ...`. */
export function describeContent(content: PageContent): string {
  if (content.kind === 'ramp' && content.step === 0) return `every dword ${formatWord(content.first)}`;
  const start = [0, 1, 2, 3].map((j) => formatWord(wordAt(content, j))).join(', ');
  return `dwords ${start}, ...`;
}

export function formatWord(word: number): string {
  return word >= 0 && word < 4096 ? String(word) : `0x${(word >>> 0).toString(16)}`;
}
