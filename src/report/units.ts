/** Numbers as people read them: counts, bytes, rates and times, with the unit beside the number and no space between. */

type Scale = readonly (readonly [unit: string, factor: number])[];

const BYTES: Scale = [
  ['B', 1],
  ['KiB', 2 ** 10],
  ['MiB', 2 ** 20],
  ['GiB', 2 ** 30],
  ['TiB', 2 ** 40],
];

const NANOSECONDS: Scale = [
  ['ns', 1],
  ['us', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
];

const PER_SECOND: Scale = [
  ['', 1],
  ['k', 1e3],
  ['M', 1e6],
  ['G', 1e9],
];

const BANDWIDTH: Scale = [
  ['B/s', 1],
  ['kB/s', 1e3],
  ['MB/s', 1e6],
  ['GB/s', 1e9],
];

const NANOSECONDS_PER_SECOND = 1e9;

/** `1,234,567`. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `12.3MiB`: powers of two, three digits. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, BYTES);
}

/** `12.3us`: three digits, from nanoseconds. */
export function formatNs(ns: number): string {
  return scaled(ns, NANOSECONDS);
}

/** `12.3k`: a number per second, without saying of what. */
export function formatRate(perSecond: number): string {
  return scaled(perSecond, PER_SECOND);
}

/** `812MB/s`: powers of ten, as links are specified. */
export function formatBandwidth(bytesPerSecond: number): string {
  return scaled(bytesPerSecond, BANDWIDTH);
}

/** Gigabytes (10^9 bytes) per second with as many decimals in every cell of a column; `N/A` where nothing was measured. */
export function formatGBps(bytesPerSecond: number | null): string {
  return bytesPerSecond === null ? 'N/A' : (bytesPerSecond / 1e9).toFixed(3);
}

/** `00m:12s`, or `1h:02m:05s` from one hour on. */
export function formatClock(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const hours = Math.floor(seconds / 3600);
  const rest = `${twoDigits(Math.floor(seconds / 60) % 60)}m:${twoDigits(seconds % 60)}s`;
  return hours === 0 ? rest : `${hours}h:${rest}`;
}

/** `23%`, of a share between 0 and 1. */
export function formatShare(share: number): string {
  return `${Math.round(share * 100)}%`;
}

/** 0 for a run too short to tell. */
export function perSecond(amount: number, elapsedNs: number): number {
  return elapsedNs > 0 ? (amount * NANOSECONDS_PER_SECOND) / elapsedNs : 0;
}

/** `1 seed`, `2 seeds`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function scaled(value: number, scale: Scale): string {
  let step = 0;
  // What rounds up to the next unit is written in it: 999.6ns is 1us.
  while (step + 1 < scale.length && roundedIn(value, scale, step) >= scale[step + 1][1]) step++;
  return `${threeDigits(value / scale[step][1])}${scale[step][0]}`;
}

function roundedIn(value: number, scale: Scale, step: number): number {
  const factor = scale[step][1];
  return Number(threeDigits(value / factor)) * factor;
}

function threeDigits(amount: number): string {
  if (amount >= 1000) return String(Math.round(amount));
  return String(Number(amount.toPrecision(3)));
}

function twoDigits(amount: number): string {
  return String(amount).padStart(2, '0');
}
