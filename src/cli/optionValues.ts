/** Reads the values of options that no scenario file has. */

import { didYouMean } from '../base/didYouMean.js';
import { SEED_MAX } from '../base/seedMax.js';
import { PAGE_BYTES } from '../base/units.js';
import { UserError } from '../base/userError.js';
import { formatSize, parseSizeBytes } from '../scenario/quantities.js';

export interface SeedRange {
  readonly first: number;
  readonly last: number;
}

/** Longest time between two things that a run does again and again, and longest run. */
export const DAY_MS = 86_400_000;
/** Workers of a search. */
export const SEARCH_JOBS_MAX = 64;
export const SEEDS_MAX = 100_000;
const SIZES_MAX = 32;
const COUNTS_MAX = 20;
const RANGE_BYTES_MAX = 2 ** 21;
const SIZE_BYTES_MAX = 2 ** 32;

/** A whole number from `min` to `max`. @throws UserError */
export function wholeNumber(option: string, typed: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(typed) ? Number(typed) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw refusal(option, typed, `a whole number from ${min} to ${max}`);
}

/** Of seconds, as a time in milliseconds may have them. */
const MS_DECIMALS = 6;

/** Milliseconds of a number of seconds, which may have decimals. @throws UserError */
export function secondsAsMs(option: string, typed: string, minMs: number, maxMs: number): number {
  const isNumber = /^\d{1,9}(\.\d{1,9})?s?$/.test(typed);
  // Without the error of the multiplication, which nobody has typed.
  const value = isNumber ? Number((Number.parseFloat(typed) * 1000).toFixed(MS_DECIMALS)) : Number.NaN;
  if (value >= minMs && value <= maxMs) return value;
  throw refusal(option, typed, `a number of seconds from ${minMs / 1000} to ${maxMs / 1000}`);
}

/** A share in percent, which may have decimals. @throws UserError */
export function percentage(option: string, typed: string, max: number): number {
  const value = /^\d{1,9}(\.\d{1,9})?%?$/.test(typed) ? Number.parseFloat(typed) : Number.NaN;
  if (value <= max) return value;
  throw refusal(option, typed, `a percentage from 0 to ${max}`);
}

/** `1..20`, or a single seed. @throws UserError */
export function seedRange(option: string, typed: string): SeedRange {
  const match = /^(\d{1,10})(?:\.\.(\d{1,10}))?$/.exec(typed);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (first <= last && last <= SEED_MAX && last - first < SEEDS_MAX) return { first, last };
  throw refusal(
    option,
    typed,
    `FIRST..LAST, such as 1..20, at most ${SEEDS_MAX} seeds from 0 to ${SEED_MAX}`,
  );
}

/** `4KiB,64KiB`: ascending, each once. @throws UserError */
export function sizeList(option: string, typed: string): number[] {
  const sizes = typed.split(',').map((text) => powerOfTwoSize(text.trim()));
  const valid = sizes.filter((size) => size !== null);
  if (valid.length === sizes.length && sizes.length <= SIZES_MAX) {
    return [...new Set(valid)].sort((a, b) => a - b);
  }
  throw refusal(
    option,
    typed,
    `up to ${SIZES_MAX} sizes such as 4KiB,64KiB,2MiB, each a power of two from 4KiB to ${formatSize(SIZE_BYTES_MAX)}`,
  );
}

/** Sizes of ranges: as {@link sizeList}, at most 2 MiB. @throws UserError */
export function rangeSizes(typed: string): number[] {
  const sizes = sizeList('--ranges', typed);
  const tooLarge = sizes.find((size) => size > RANGE_BYTES_MAX);
  if (tooLarge === undefined) return sizes;
  throw refusal('--ranges', formatSize(tooLarge), `at most ${formatSize(RANGE_BYTES_MAX)}`);
}

/** `all`, or some of the names, with commas between. @throws UserError */
export function chosenOf<T extends string>(option: string, typed: string, names: readonly T[]): readonly T[] {
  if (typed === 'all') return names;
  const chosen = typed.split(',').map((text) => {
    const name = text.trim();
    const found = names.find((one) => one === name);
    if (found !== undefined) return found;
    const meant = didYouMean(name, names);
    const hint = meant === null ? undefined : `did you mean ${meant}?`;
    throw refusal(option, name, `all, or some of ${names.join(', ')}`, hint);
  });
  return [...new Set(chosen)];
}

/** `1,10,100`: ascending whole numbers from 1 on. @throws UserError */
export function ascendingCounts(option: string, typed: string, max: number): number[] {
  const counts = typed.split(',').map((text) => (/^\s*\d+\s*$/.test(text) ? Number(text) : Number.NaN));
  const good = counts.every((count, i) => count >= 1 && count <= max && !(count <= counts[i - 1]));
  if (good && counts.length <= COUNTS_MAX) return counts;
  throw refusal(
    option,
    typed,
    `up to ${COUNTS_MAX} ascending whole numbers from 1 to ${max}, with commas between`,
  );
}

/** A regular expression. @throws UserError */
export function pattern(option: string, typed: string): RegExp {
  try {
    return new RegExp(typed);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const reason = message.slice(message.lastIndexOf(': ') + 1).trim();
    throw refusal(`${option} ${typed}`, reason.toLowerCase(), 'a regular expression');
  }
}

export function refusal(option: string, typed: string, allowed: string, hint?: string): UserError {
  const found = typed === '' ? 'nothing' : typed;
  return new UserError({ where: option, found, allowed, ...(hint === undefined ? {} : { hint }) });
}

function powerOfTwoSize(text: string): number | null {
  const bytes = parseSizeBytes(/^\d+$/.test(text) ? Number(text) : text);
  return bytes !== null &&
    bytes >= PAGE_BYTES &&
    bytes <= SIZE_BYTES_MAX &&
    Number.isInteger(Math.log2(bytes))
    ? bytes
    : null;
}
