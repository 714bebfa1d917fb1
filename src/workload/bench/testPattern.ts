/** The content with which benchmarks tell whether bytes arrived: every word differs from its neighbours and from the same word of other pages. */

import { Errno } from '../../base/errno.js';
import { PAGE_WORDS, type Vpn, vpn } from '../../base/units.js';
import { holdPage } from '../../memory/accessPort.js';
import type { Steps } from '../../sim/steps.js';
import { toErrno } from '../hostSteps.js';
import type { HostContext } from '../workload.js';
import { BenchStep } from './benchStep.js';

export function patternAt(page: Vpn, word: number): number {
  return (Math.imul(page % 2 ** 31, 0x9e37) ^ Math.imul(word + 1, 0x85eb)) | 0;
}

/** Null where the page holds its pattern, else what is wrong in words. */
export function patternProblem(page: Vpn, words: Int32Array | null): string | null {
  if (words === null) return 'a page of the pattern is gone';
  for (let i = 0; i < PAGE_WORDS; i++) {
    if (words[i] !== patternAt(page, i)) return `word ${i} is ${words[i]}, not ${patternAt(page, i)}`;
  }
  return null;
}

/** Through the CPU thread's own stores. */
export function* fillPattern(host: HostContext, start: Vpn, npages: number): Steps<Errno> {
  for (let i = 0; i < npages; i++) {
    const page = vpn(start + i);
    const at = yield* holdPage(host, page, true);
    if (at < 0) return toErrno(at);
    for (let word = 0; word < PAGE_WORDS; word++) host.memory.words[at + word] = patternAt(page, word);
    host.release();
    yield BenchStep.sample;
  }
  return Errno.OK;
}

/** Words that differ from the pattern of the pages at `origin`; reads through the CPU, which brings the pages to RAM. */
export function* countMismatches(
  host: HostContext,
  start: Vpn,
  npages: number,
  origin = start,
): Steps<number> {
  let mismatches = 0;
  for (let i = 0; i < npages; i++) {
    const page = vpn(start + i);
    const at = yield* holdPage(host, page, false);
    if (at < 0) return PAGE_WORDS * (npages - i) + mismatches;
    for (let word = 0; word < PAGE_WORDS; word++) {
      if (host.memory.words[at + word] !== patternAt(vpn(origin + i), word)) mismatches++;
    }
    host.release();
    yield BenchStep.sample;
  }
  return mismatches;
}
