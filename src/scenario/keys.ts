/** The kinds of value that a key of a scenario or preset file may have, each with the one text that says what is allowed. */

import { z } from 'zod';
import { PAGE_BYTES } from '../base/units.js';
import type { TimeCost } from '../simulation/simulationConfig.js';
import {
  formatDuration,
  formatPages,
  largestNamedNs,
  parseBandwidthGBps,
  parseDurationNs,
  parseRate,
  parseSizeBytes,
  parseTimeCost,
  quantityPatterns,
} from './quantities.js';

/** What documentation says of one key. */
export interface KeyDoc {
  readonly text: string;
  /** `size`, `duration`, `count`, `one of`, ... */
  readonly unit: string;
  /** What is allowed, as error messages say it. */
  readonly range: string;
  /** As the user would write it; `required` where there is none. */
  readonly default: string;
}

/** Every key of every file, by its schema; `keyReference` lists them. */
export const keyDocs = z.registry<KeyDoc>();

/** What an editor is told of a value, in the words of JSON Schema: no more than it can check. */
export type EditorType = z.core.JSONSchema.BaseSchema;

/** The {@link EditorType} of every value's schema, which zod itself cannot know. */
export const editorTypes = z.registry<{ readonly type: EditorType }>();

/** A schema whose issues all carry `allowed` as their message. */
export interface Value<T> {
  readonly schema: z.ZodType<T>;
  readonly unit: string;
  readonly allowed: string;
  readonly editorType: EditorType;
}

const NAME = /^[A-Za-z0-9_.-]{1,40}$/;

/** Between the names in "allowed: a, b, c"; no name contains it. */
export const LIST_SEPARATOR = ', ';

/** Bytes, or a number with its unit. */
const sizeType: EditorType = {
  anyOf: [
    { type: 'integer', minimum: 0 },
    { type: 'string', pattern: quantityPatterns.size },
  ],
};

/** Zero has no unit. */
function timeType(pattern: string, least: number): EditorType {
  const withUnit: EditorType = { type: 'string', pattern };
  return least > 0 ? withUnit : { anyOf: [{ const: 0 }, withUnit] };
}

function value<T>(
  unit: string,
  allowed: string,
  editorType: EditorType,
  read: (raw: unknown) => T | null,
): Value<T> {
  const schema = z.unknown().transform((raw, context): T => {
    const result = read(raw);
    if (result !== null) return result;
    context.addIssue({ code: 'custom', message: allowed });
    return z.NEVER;
  });
  editorTypes.add(schema, { type: editorType });
  return { schema, unit, allowed, editorType };
}

/** In pages; `least` and `most` in pages too. */
export function size(least: number, most: number): Value<number> {
  const allowed = `${formatPages(least)} to ${formatPages(most)} in whole 4KiB pages, such as 2MiB, 64KiB, 4096 (bytes) or 16pages`;
  return value('size', allowed, sizeType, (raw) => {
    const pages = wholePages(raw);
    return pages !== null && pages >= least && pages <= most ? pages : null;
  });
}

export function powerOfTwoSize(least: number, most: number): Value<number> {
  const allowed = `a power of two from ${formatPages(least)} to ${formatPages(most)}, such as 512MiB`;
  return value('size', allowed, sizeType, (raw) => {
    const pages = wholePages(raw);
    return pages !== null && isPowerOfTwo(pages) && pages >= least && pages <= most ? pages : null;
  });
}

/** Range sizes in pages. */
export function chunkSizes(mostPages: number): Value<number[]> {
  const allowed = `descending powers of two ending in 4KiB, the first at most ${formatPages(mostPages)}, such as [2MiB, 64KiB, 4KiB]`;
  return value('list of sizes', allowed, { type: 'array', items: sizeType }, (raw) => {
    if (!Array.isArray(raw)) return null;
    const chunks = raw.map(wholePages).filter((pages) => pages !== null);
    return chunks.length === raw.length && areChunks(chunks, mostPages) ? chunks : null;
  });
}

/** Granularity of durations, in nanoseconds. */
const STEP_NS = { nanoseconds: 1, microseconds: 1e3, milliseconds: 1e6 } as const;

const DURATIONS = ['20s', '500ms', '5us'];

/** In nanoseconds, from `leastNs` to `mostNs`, in whole steps. */
export function duration(leastNs: number, mostNs: number, step: keyof typeof STEP_NS): Value<number> {
  const least = leastNs === 0 ? '0' : formatDuration(leastNs);
  const parse = (raw: unknown): number | null => {
    const ns = parseDurationNs(raw);
    return ns !== null && ns >= leastNs && ns <= mostNs && ns % STEP_NS[step] === 0 ? ns : null;
  };
  const examples = DURATIONS.filter((example) => parse(example) !== null).join(' or ');
  const allowed = `${least} to ${formatDuration(mostNs)} in whole ${step}, such as ${examples}`;
  return value('duration', allowed, timeType(quantityPatterns.duration, leastNs), parse);
}

/** In nanoseconds, or a distribution of them. */
export function timeCost(mostNs: number): Value<TimeCost> {
  const allowed = `0 to ${formatDuration(mostNs)} in whole nanoseconds, such as 20us; or 20us..50us (uniform), 20us +- 5us (normal: mean and standard deviation), 20us p99 60us (lognormal: median and 99th percentile)`;
  return value('time or distribution', allowed, timeType(quantityPatterns.cost, 0), (raw) => {
    const cost = parseTimeCost(raw);
    return cost !== null && largestNamedNs(cost) <= mostNs ? cost : null;
  });
}

/** In gigabytes per second. */
export function bandwidth(): Value<number> {
  return value(
    'bandwidth',
    'more than 0 to 100000GB/s, such as 26GB/s or 500MB/s',
    { type: 'string', pattern: quantityPatterns.bandwidth },
    (raw) => {
      const rate = parseBandwidthGBps(raw);
      return rate !== null && rate > 0 && rate <= 100_000 ? rate : null;
    },
  );
}

/** Operations per second. */
export function operationRate(): Value<number> {
  return value('rate', RATES, { type: 'string', pattern: quantityPatterns.rate }, (raw) => {
    const rate = parseRate(raw);
    return rate !== null && rate > 0 && rate >= RATE_MIN ? rate : null;
  });
}

/** Once in a thousand seconds. */
const RATE_MIN = 0.001;
export const RATES = 'a rate from 0.001/s, such as 200/s, or free: one after another';

export function count(least: number, most: number): Value<number> {
  const editorType: EditorType = { type: 'integer', minimum: least, maximum: most };
  return value('count', `a whole number from ${least} to ${most}`, editorType, (raw) =>
    typeof raw === 'number' && Number.isInteger(raw) && raw >= least && raw <= most ? raw : null,
  );
}

export function powerOfTwoCount(least: number, most: number): Value<number> {
  const editorType: EditorType = { type: 'integer', minimum: least, maximum: most };
  const allowed = `a power of two from ${least} to ${most}`;
  return value('count', allowed, editorType, (raw) =>
    typeof raw === 'number' && isPowerOfTwo(raw) && raw >= least && raw <= most ? raw : null,
  );
}

export function ratio(): Value<number> {
  return value('ratio', 'a number from 0 to 1', { type: 'number', minimum: 0, maximum: 1 }, (raw) =>
    typeof raw === 'number' && raw >= 0 && raw <= 1 ? raw : null,
  );
}

export function oneOf<const Name extends string>(names: readonly Name[]): Value<Name> {
  return value(
    'one of',
    names.join(LIST_SEPARATOR),
    { enum: [...names] },
    (raw) => names.find((name) => name === raw) ?? null,
  );
}

export function someOf<const Name extends string>(names: readonly Name[]): Value<Name[]> {
  const editorType: EditorType = {
    type: 'array',
    items: { enum: [...names] },
    minItems: 1,
    uniqueItems: true,
  };
  return value(
    'list',
    `a list of one or more of ${names.join(LIST_SEPARATOR)}, each once`,
    editorType,
    (raw) => {
      if (!Array.isArray(raw) || raw.length === 0 || new Set(raw).size !== raw.length) return null;
      const known = names.filter((name) => raw.includes(name));
      return known.length === raw.length ? known : null;
    },
  );
}

/** An empty list for `none`, so that nobody has nothing by leaving it out. */
export function orNone<T>(list: Value<T[]>): Value<T[]> {
  const allowed = `none, or ${list.allowed}`;
  const editorType: EditorType = { anyOf: [{ const: 'none' }, list.editorType] };
  return value(list.unit, allowed, editorType, (raw) => {
    if (raw === 'none') return [];
    const result = list.schema.safeParse(raw);
    return result.success ? result.data : null;
  });
}

/** Pairs of numbers from 0 up, each pair once, in either order. */
export function pairs(mostPairs: number): Value<[number, number][]> {
  const allowed = `a list of pairs of different whole numbers from 0, each pair once, such as [[0, 1], [2, 3]]`;
  const item: EditorType = {
    type: 'array',
    items: { type: 'integer', minimum: 0 },
    minItems: 2,
    maxItems: 2,
    uniqueItems: true,
  };
  const editorType: EditorType = { type: 'array', items: item, maxItems: mostPairs };
  return value('list of pairs', allowed, editorType, (raw) => {
    if (!Array.isArray(raw) || raw.length > mostPairs) return null;
    const found = raw.filter(isPair);
    const distinct = new Set(found.map(([a, b]) => `${Math.min(a, b)} ${Math.max(a, b)}`));
    return found.length === raw.length && distinct.size === raw.length ? found : null;
  });
}

function isPair(raw: unknown): raw is [number, number] {
  if (!Array.isArray(raw) || raw.length !== 2 || raw[0] === raw[1]) return false;
  return raw.every((entry) => typeof entry === 'number' && Number.isInteger(entry) && entry >= 0);
}

export function yesOrNo(): Value<boolean> {
  return value('true or false', 'true or false', { type: 'boolean' }, (raw) =>
    typeof raw === 'boolean' ? raw : null,
  );
}

export function text(mostChars: number): Value<string> {
  const editorType: EditorType = { type: 'string', minLength: 1, maxLength: mostChars };
  return value('text', `a text of 1 to ${mostChars} characters`, editorType, (raw) =>
    typeof raw === 'string' && raw.trim() !== '' && raw.length <= mostChars ? raw.trim() : null,
  );
}

/** What names an actor in tables and messages. */
export function name(): Value<string> {
  const editorType: EditorType = { type: 'string', pattern: NAME.source };
  return value(
    'name',
    'a name of 1 to 40 letters, digits, dots, dashes and underscores',
    editorType,
    (raw) => (typeof raw === 'string' && NAME.test(raw) ? raw : null),
  );
}

/** Infinity for `unlimited`. */
export function orUnlimited(limited: Value<number>): Value<number> {
  const allowed = `${limited.allowed}, or unlimited`;
  const editorType: EditorType = { anyOf: [limited.editorType, { const: 'unlimited' }] };
  return value(limited.unit, allowed, editorType, (raw) => {
    if (raw === 'unlimited') return Number.POSITIVE_INFINITY;
    const result = limited.schema.safeParse(raw);
    return result.success ? result.data : null;
  });
}

/** A key that need not be there; `fallback` is written as the user would write it. */
export function key<T>(type: Value<T>, fallback: unknown, doc: string): z.ZodPrefault<z.ZodType<T>> {
  return documented(z.prefault(type.schema, fallback), type, showValue(fallback), doc);
}

/** A key that need not be there and then is undefined; `instead` says what holds without it. */
export function optionalKey<T>(type: Value<T>, instead: string, doc: string): z.ZodOptional<z.ZodType<T>> {
  return documented(z.optional(type.schema), type, instead, doc);
}

export function requiredKey<T>(type: Value<T>, doc: string): z.ZodType<T> {
  return documented(type.schema, type, 'required', doc);
}

/** A map that refuses keys it does not know; without `required` keys of its own it may be left out. */
export function map<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const keys = Object.keys(shape).join(LIST_SEPARATOR);
  return z.strictObject(shape, {
    error: ({ code }) => (code === 'unrecognized_keys' ? keys : `a map with the keys ${keys}`),
  });
}

/** `[2MiB, 4KiB]`: a value as one would write it in YAML on one line. */
export function showValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'string' && isReadAsOther(value)) return `"${value}"`;
  if (Array.isArray(value)) return `[${value.map(showValue).join(', ')}]`;
  if (typeof value !== 'object') return String(value);
  const pairs = Object.entries(value).map(([entryKey, entry]) => `${entryKey}: ${showValue(entry)}`);
  return `{${pairs.join(', ')}}`;
}

/** Whether YAML takes the bare text for something else than a text. */
function isReadAsOther(text: string): boolean {
  return (
    text.trim() === '' ||
    text === 'null' ||
    text === 'true' ||
    text === 'false' ||
    !Number.isNaN(Number(text))
  );
}

function documented<S extends z.ZodType>(schema: S, type: Value<unknown>, fallback: string, doc: string): S {
  const described = schema.describe(`${doc} ${type.unit}: ${type.allowed}. Default: ${fallback}.`);
  keyDocs.add(described, { text: doc, unit: type.unit, range: type.allowed, default: fallback });
  return described;
}

function wholePages(raw: unknown): number | null {
  const bytes = parseSizeBytes(raw);
  return bytes !== null && bytes % PAGE_BYTES === 0 ? bytes / PAGE_BYTES : null;
}

/** No bit operators: sizes reach 2^35 pages. */
function isPowerOfTwo(pages: number): boolean {
  return pages >= 1 && Number.isInteger(Math.log2(pages));
}

function areChunks(chunks: readonly number[], mostPages: number): boolean {
  return (
    chunks.length > 0 &&
    chunks[0] <= mostPages &&
    chunks[chunks.length - 1] === 1 &&
    chunks.every((pages, i) => isPowerOfTwo(pages) && (i === 0 || pages < chunks[i - 1]))
  );
}
