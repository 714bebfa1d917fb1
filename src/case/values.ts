/** The kinds of value that case files contain, each with the one text that says what is allowed. */

import { z } from 'zod';
import { PAGE_BYTES, PAGE_WORDS } from '../base/units.js';

/** Between the names of a closed list, in what is allowed. */
export const LIST_SEPARATOR = ', ';

/** Where a span may begin, and how long it may be: with both it still ends within the 47 bits of an address, wherever its buffer lies. */
export const PAGES_MAX = 2 ** 33;
const COUNT_MAX = 2 ** 32 - 1;

/** A whole number of at least `least`. */
export function count(least = 0, most = COUNT_MAX): z.ZodNumber {
  const allowed = `a whole number of at least ${least}`;
  return z.int(allowed).min(least, allowed).max(most, `${allowed} and at most ${most}`);
}

/** Pages, or a page of a buffer: as far as a page table of 47-bit addresses reaches. */
export function pageCount(least = 0): z.ZodNumber {
  return count(least, PAGES_MAX);
}

/** A page of the addresses of a GPU, of which cases have a part for themselves; or the end of a span of it. */
export const gpuPage = pageCount();

/** A dword of a buffer. */
export const dwordIndex = count(0, PAGES_MAX * PAGE_WORDS);

/** Bytes, or a byte of a buffer. */
export function byteCount(least = 0): z.ZodNumber {
  return count(least, PAGES_MAX * PAGE_BYTES);
}

/** A whole number, of any sign. */
export const wholeNumber = z.int('a whole number');

/** Bytes in either direction. */
export const signedBytes = z
  .int('a whole number')
  .min(-PAGES_MAX * PAGE_BYTES, `at least ${-PAGES_MAX * PAGE_BYTES}`)
  .max(PAGES_MAX * PAGE_BYTES, `at most ${PAGES_MAX * PAGE_BYTES}`);

/** What a dword may hold, of either sign. */
export const dword = z
  .int('a whole number from -2147483648 to 4294967295')
  .min(-(2 ** 31), 'at least -2147483648')
  .max(2 ** 32 - 1, 'at most 4294967295');

export const byte = z.int('a whole number from 0 to 255').min(0, 'at least 0').max(255, 'at most 255');

export const flag = z.boolean('true or false');

export function oneOf<const T extends readonly string[]>(...names: T) {
  return z.enum(names, `one of: ${names.join(LIST_SEPARATOR)}`);
}

export const text = z.string('a text');

/** Of buffers, files, buffer objects, queues and labels. In those of buffers and files `$i` stands for the round of a `repeat`. */
export const name = z.string('a name').min(1, 'a name that is not empty');

/** `p0` is the first process; others exist once they were forked. */
export const proc = z
  .string('a process such as p0')
  .regex(/^[a-z][A-Za-z0-9_$]*$/, 'a process such as p0 or c0');

const DEVICES = 'a device from gpu0 to gpu99';
/** For patterns: each device by the one name that it has. */
export const DEVICE_NAME = 'gpu(0|[1-9]\\d?)';

export const device = z.string(DEVICES).regex(new RegExp(`^${DEVICE_NAME}$`), DEVICES);

/** Where memory is, or should go. */
export const place = z
  .string('gpu0 to gpu99, sys or cpu')
  .regex(new RegExp(`^(${DEVICE_NAME}|sys|cpu)$`), 'gpu0 to gpu99, sys or cpu');

export type Device = z.infer<typeof device>;

/** What memory is filled with, dword by dword, counted from the start of the buffer. */
export const pattern = z.discriminatedUnion(
  'p',
  [
    z.strictObject({ p: z.literal('index'), k: dword }, 'p, k'),
    z.strictObject({ p: z.literal('neg_index') }, 'p'),
    z.strictObject({ p: z.literal('zero') }, 'p'),
    z.strictObject({ p: z.literal('const'), v: dword }, 'p, v'),
    z.strictObject({ p: z.literal('byte'), v: byte }, 'p, v'),
  ],
  'a pattern, of which p is one of: index, neg_index, zero, const, byte',
);

export type Pattern = z.infer<typeof pattern>;
