/** What a command of a mirror device is given and gives back. */

import { Errno } from '../../base/errno.js';

/** @kernel hmm_dmirror_cmd */
export interface MirrorResult {
  readonly errno: Errno;
  /** Pages read, written, migrated or looked at; 0 after an error, as the caller is told nothing then. */
  readonly cpages: number;
  /** Rounds of faults; 0 after an error. */
  readonly faults: number;
}

export function mirrorResult(errno: Errno, cpages = 0, faults = 0): MirrorResult {
  return errno === Errno.OK ? { errno, cpages, faults } : { errno, cpages: 0, faults: 0 };
}

/** Where the data of a command goes to. Complete only if the command succeeds. */
export interface PageSink {
  /** The words of the page at `index`, counted from the start of the command; only valid during the call. */
  take(index: number, words: Int32Array): void;
}

/** Where the data of a command comes from. */
export interface PageSource {
  /** Fills all words of the page at `index`, counted from the start of the command. */
  fill(index: number, words: Int32Array): void;
}

/** One past the last page of a 64-bit address space. */
const ADDRESS_PAGES = 2 ** 52;

/** A span has pages and does not wrap; whether anything is mapped there is another question. */
export function spanIsValid(start: number, npages: number): boolean {
  const isPage = Number.isInteger(start) && start >= 0;
  return isPage && Number.isInteger(npages) && npages > 0 && start + npages <= ADDRESS_PAGES;
}
