/** Sizes, durations and bandwidths as a user writes them: a number and its unit. */

import { PAGE_BYTES } from '../base/units.js';
import type { TimeCost } from '../simulation/simulationConfig.js';

const SIZE_UNITS: readonly (readonly [string, number])[] = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
  ['B', 1],
  ['pages', PAGE_BYTES],
  ['page', PAGE_BYTES],
];

const DURATION_UNITS: readonly (readonly [string, number])[] = [
  ['h', 3600e9],
  ['min', 60e9],
  ['s', 1e9],
  ['ms', 1e6],
  ['us', 1e3],
  ['ns', 1],
];

/** With how many of them make a gigabyte per second. */
const BANDWIDTH_UNITS: readonly (readonly [string, number])[] = [
  ['GB/s', 1],
  ['MB/s', 1000],
];

const AMOUNT = '\\d{1,15}(?:\\.\\d{1,9})?';
const QUANTITY = new RegExp(`^(${AMOUNT}) ?([A-Za-z/]+)$`);
/** `free` has no number. */
const RATE = /^(?:free|(\d{1,9}(?:\.\d{1,6})?) ?\/s)$/;
const DURATION = quantityText(DURATION_UNITS);
const COST_PART = `(?:0|${DURATION})`;

/** The texts that are quantities, as regular expressions for those who cannot call what parses them; how large they may be they do not say. */
export const quantityPatterns = {
  size: `^${quantityText(SIZE_UNITS)}$`,
  duration: `^${DURATION}$`,
  cost: `^(?:${DURATION}|${COST_PART} ?(?:\\.\\.|\\+-|p99) ?${COST_PART})$`,
  bandwidth: `^${quantityText(BANDWIDTH_UNITS)}$`,
  rate: RATE.source,
} as const;

/** How far from a whole number a decimal may end up by the rounding of doubles. */
const ROUNDING = 1e-6;

/** Bytes of `256MiB`, `64KiB`, `16pages` or `4096`; null for anything else, also for parts of a byte. */
export function parseSizeBytes(value: unknown): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : null;
  return wholeOf(value, SIZE_UNITS);
}

/** Nanoseconds of `20s`, `500ms`, `5us` or `0`; null for anything else, also for a number without a unit. */
export function parseDurationNs(value: unknown): number | null {
  return value === 0 ? 0 : wholeOf(value, DURATION_UNITS);
}

/**
 * A duration, `20us..50us` for anything between two with equal chance, `20us +- 5us` for a normal distribution by its standard deviation, or
 * `20us p99 60us` for a lognormal one by its median and 99th percentile; null for anything else.
 */
export function parseTimeCost(value: unknown): TimeCost | null {
  const fixed = parseDurationNs(value);
  if (fixed !== null || typeof value !== 'string') return fixed;
  const match = /^(.+?) ?(\.\.|\+-|p99) ?(.+)$/.exec(value);
  if (match === null) return null;
  const [a, b] = [parseTimePart(match[1]), parseTimePart(match[3])];
  if (a === null || b === null) return null;
  switch (match[2]) {
    case '..':
      return a <= b ? { kind: 'uniform', leastNs: a, mostNs: b } : null;
    case '+-':
      return { kind: 'normal', meanNs: a, deviationNs: b };
    default:
      return a > 0 && a <= b ? { kind: 'lognormal', medianNs: a, p99Ns: b } : null;
  }
}

function parseTimePart(text: string): number | null {
  return text === '0' ? 0 : parseDurationNs(text);
}

/** The largest time that a cost names. */
export function largestNamedNs(cost: TimeCost): number {
  if (typeof cost === 'number') return cost;
  switch (cost.kind) {
    case 'uniform':
      return cost.mostNs;
    case 'normal':
      return Math.max(cost.meanNs, cost.deviationNs);
    case 'lognormal':
      return cost.p99Ns;
  }
}

/** Gigabytes (10^9 bytes) per second of `26GB/s` or `500MB/s`; null for anything else. */
export function parseBandwidthGBps(value: unknown): number | null {
  const parts = split(value);
  const share = BANDWIDTH_UNITS.find(([unit]) => unit === parts?.unit)?.[1];
  return parts === null || share === undefined ? null : parts.amount / share;
}

/** Per second, of `200/s` or `0.5/s`; Infinity for `free`, which is as often as it goes; null for anything else. */
export function parseRate(value: unknown): number | null {
  if (value === 'free') return Number.POSITIVE_INFINITY;
  const match = typeof value === 'string' ? RATE.exec(value) : null;
  return match === null ? null : Number(match[1]);
}

/** `64KiB`: in the largest unit that leaves no fraction. */
export function formatSize(bytes: number): string {
  for (const [unit, factor] of SIZE_UNITS) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}B`;
}

export function formatPages(pages: number): string {
  return formatSize(pages * PAGE_BYTES);
}

/** `1.25GiB`: for amounts that nobody typed. */
export function formatRoundedSize(bytes: number): string {
  const [unit, factor] = SIZE_UNITS.find(([, unitBytes]) => bytes >= unitBytes) ?? ['B', 1];
  return `${Number((bytes / factor).toFixed(2))}${unit}`;
}

export function formatDuration(ns: number): string {
  for (const [unit, factor] of DURATION_UNITS) {
    if (ns >= factor && ns % factor === 0) return `${ns / factor}${unit}`;
  }
  return `${ns}ns`;
}

function quantityText(units: readonly (readonly [string, number])[]): string {
  return `${AMOUNT} ?(?:${units.map(([unit]) => unit).join('|')})`;
}

function split(value: unknown): { amount: number; unit: string } | null {
  if (typeof value !== 'string') return null;
  const match = QUANTITY.exec(value);
  return match === null ? null : { amount: Number(match[1]), unit: match[2] };
}

function wholeOf(value: unknown, units: readonly (readonly [string, number])[]): number | null {
  const parts = split(value);
  const factor = units.find(([unit]) => unit === parts?.unit)?.[1];
  if (parts === null || factor === undefined) return null;
  const amount = parts.amount * factor;
  const whole = Math.round(amount);
  return Math.abs(amount - whole) <= ROUNDING && Number.isSafeInteger(whole) ? whole : null;
}
