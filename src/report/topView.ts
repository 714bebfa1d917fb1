/** A running simulation as a screen of text: from what it is doing now and what it had done before, to lines. No terminal is needed. */

import { PAGE_BYTES } from '../base/units.js';
import type { LiveDevice, LiveSnapshot } from '../simulation/liveRun.js';
import { sumOf, workTotals } from './counterNames.js';
import { left, right, textTable } from './textTable.js';
import { formatBandwidth, formatBytes, formatClock, formatCount, formatRate } from './units.js';

/** What is on the screen besides the numbers. */
export interface TopState {
  /** `n1-mirror: 4 devices, layout n1, seed 1`. */
  readonly title: string;
  /** What is being typed, with its question; null while nothing is. */
  readonly prompt: string | null;
  /** Of a page that was looked at. */
  readonly page: readonly string[];
  readonly message: string;
  readonly help: boolean;
}

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

/** What keys do. */
export const topKeys: readonly (readonly [key: string, word: string, does: string])[] = [
  ['p', 'pause', 'holds the run between two operations'],
  ['s', 'step', 'one operation of each task, while paused'],
  ['c', 'continue', 'goes on'],
  ['i', 'inspect', 'what the CPU and each device know of a page, while paused'],
  ['h', 'help', 'these keys'],
  ['q', 'quit', 'ends the run, with its result'],
];

const WAITS_SHOWN = 2;
const LOCKS_SHOWN = 6;

/** `before` is an earlier look, from which rates are made; null for the first. No line is wider than the screen, nor more lines than it has. */
export function topLines(
  now: LiveSnapshot,
  before: LiveSnapshot | null,
  state: TopState,
  size: ScreenSize,
): string[] {
  const rate = rates(now, before);
  const lines = [
    ...head(now, state),
    '',
    ...(state.help ? helpLines() : [...actorLines(now, before, rate), '', ...deviceLines(now, before, rate)]),
    ...(state.help ? [] : ['', ...lockLines(now)]),
    ...(state.page.length === 0 ? [] : ['', ...state.page]),
  ];
  const foot = state.prompt ?? (state.message === '' ? keyLine() : state.message);
  const body = lines.slice(0, Math.max(0, size.rows - 1));
  return [...body, foot].map((line) => line.slice(0, size.columns));
}

type Rate = (amount: number, earlier: number) => number;

/** Per second of the run's clock between the two looks; 0 while that stands still. */
function rates(now: LiveSnapshot, before: LiveSnapshot | null): Rate {
  const seconds = before === null ? 0 : (now.elapsedMs - before.elapsedMs) / 1000;
  return (amount, earlier) => (seconds > 0 ? Math.max(0, amount - earlier) / seconds : 0);
}

function head(now: LiveSnapshot, { title }: TopState): string[] {
  const totals = workTotals(now.counters);
  const mean = (amount: number): number => (now.elapsedMs > 0 ? (amount * 1000) / now.elapsedMs : 0);
  const figures = [
    `${formatRate(mean(totals.faults))} faults/s`,
    `${formatRate(mean(totals.migrations))} migrations/s`,
    `${formatBandwidth(mean(totals.toVramBytes))} to VRAM`,
  ];
  return [
    `${title}  ${now.phase}  ${formatClock(now.elapsedMs)} wall`,
    `mean since the start: ${figures.join(', ')} (wall)`,
  ];
}

function actorLines(now: LiveSnapshot, before: LiveSnapshot | null, rate: Rate): string[] {
  const columns = [
    left('Actor'),
    left(''),
    right('Steps/s'),
    right('Sent'),
    right('To get'),
    left('Waits for'),
  ];
  const rows = now.actors.map(({ name, letter, steps, sent, toReceive, waits }, i) => [
    name,
    letter,
    formatRate(rate(steps, before?.actors[i].steps ?? 0)),
    formatCount(sent),
    formatCount(toReceive),
    shorten(waits),
  ]);
  return textTable(columns, rows);
}

function shorten(waits: readonly string[]): string {
  const more = waits.length - WAITS_SHOWN;
  return [...waits.slice(0, WAITS_SHOWN), ...(more > 0 ? [`${more} more`] : [])].join('; ');
}

function deviceLines(now: LiveSnapshot, before: LiveSnapshot | null, rate: Rate): string[] {
  const columns = [
    left('Device'),
    right('Faults/s'),
    right('in flight'),
    right('Copies'),
    right('RAM to VRAM'),
    right('to RAM'),
    right('peers'),
    right('VRAM used'),
  ];
  const rows = now.devices.map((device, i) => deviceRow(i, device, before?.devices[i] ?? null, rate));
  return textTable(columns, rows);
}

function deviceRow(index: number, now: LiveDevice, before: LiveDevice | null, rate: Rate): string[] {
  const faults = (device: LiveDevice | null): number => device?.counters.svm_pagefault_count ?? 0;
  const { activity } = now;
  const name = `gpu${index}`;
  const faultRate = formatRate(rate(faults(now), faults(before)));
  if (activity === null) return [name, faultRate, '?', '?', '?', '?', '?', '?'];
  const earlier = before?.activity?.copies;
  const { copies, vram } = activity;
  const link = (bytes: number, then: number | undefined): string =>
    formatBandwidth(then === undefined ? 0 : rate(bytes, then));
  return [
    name,
    faultRate,
    formatCount(activity.faultsInFlight),
    formatCount(activity.copiesInFlight),
    link(copies.hostToDeviceBytes, earlier?.hostToDeviceBytes),
    link(copies.deviceToHostBytes, earlier?.deviceToHostBytes),
    link(copies.peerBytes, earlier?.peerBytes),
    `${formatBytes(vram.usedPages * PAGE_BYTES)} of ${formatBytes(sumOf([vram.usedPages, vram.freePages]) * PAGE_BYTES)}`,
  ];
}

function lockLines({ locks }: LiveSnapshot): string[] {
  if (locks.length === 0) return ['No lock is held.'];
  const columns = [left('Lock'), left('Held for'), left('by'), right('Waiting'), left('first')];
  const rows = locks
    .slice(0, LOCKS_SHOWN)
    .map(({ name, mode, holders, waiters }) => [
      name,
      mode ?? '-',
      shorten(holders),
      formatCount(waiters.length),
      waiters[0] ?? '',
    ]);
  const more = locks.length - rows.length;
  return [...textTable(columns, rows), ...(more > 0 ? [`${more} more`] : [])];
}

function helpLines(): string[] {
  return topKeys.map(([key, word, does]) => `  ${key}  ${word}: ${does}`);
}

function keyLine(): string {
  return topKeys.map(([key, word]) => `${key} ${word}`).join('   ');
}
