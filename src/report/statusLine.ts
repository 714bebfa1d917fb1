/** One line that is written over and over while a run goes on: what every actor is doing, how fast, and how long still. */

import type { ActorStatus, LoadProgress, RunProgress } from '../simulation/runReport.js';
import type { ClockName } from './clock.js';
import { type WorkTotals, workTotals } from './counterNames.js';
import { formatBandwidth, formatClock, formatNs, formatRate, formatShare, perSecond } from './units.js';

/** Where the line goes: standard error. */
export interface StatusOutput {
  readonly isTTY: boolean;
  readonly columns: number;
  write(text: string): void;
}

export interface Rates {
  readonly faultsPerSecond: number;
  readonly migrationsPerSecond: number;
  /** To devices. */
  readonly bytesPerSecond: number;
  /** By class of load. */
  readonly loadsPerSecond: readonly (readonly [load: string, perSecond: number])[];
}

/** Of wall time: shorter intervals make rates that jump. */
const RATE_INTERVAL_MS = 500;
const NANOSECONDS_PER_MILLISECOND = 1e6;
/** For the phase, the clock, the time and the time left, when something is broken. */
const TIMES_COLUMNS = 56;
const BROKEN_COLUMNS_MIN = 16;
const TO_LINE_START = '\r';
const ERASE_TO_END = '\x1b[K';
const NO_RATES: Rates = { faultsPerSecond: 0, migrationsPerSecond: 0, bytesPerSecond: 0, loadsPerSecond: [] };

interface Sample {
  readonly atMs: number;
  readonly totals: WorkTotals;
  readonly loads: readonly LoadProgress[];
}

/** Silent unless its output is a terminal and `quiet` is not set. */
export class StatusLine {
  private readonly output: StatusOutput;
  private readonly enabled: boolean;
  private readonly clock: ClockName;
  private sample: Sample = { atMs: 0, totals: { faults: 0, migrations: 0, toVramBytes: 0 }, loads: [] };
  private rates = NO_RATES;
  private visible = false;
  private keepAtMs: number;

  /** `clock`: of the times in what it is updated with. `keptEveryMs`: the line is kept each time so much has passed on that clock; 0: never. */
  constructor(
    output: StatusOutput,
    quiet: boolean,
    clock: ClockName = 'wall',
    private readonly keptEveryMs = 0,
  ) {
    this.output = output;
    this.enabled = output.isTTY && !quiet;
    this.clock = clock;
    this.keepAtMs = keptEveryMs;
  }

  /** Whether anybody sees what it is updated with. */
  get isSeen(): boolean {
    return this.enabled || this.keptEveryMs > 0;
  }

  update(progress: RunProgress): void {
    if (!this.isSeen) return;
    this.measure(progress);
    if (this.keptEveryMs > 0 && progress.elapsedMs >= this.keepAtMs) {
      this.note(statusText(progress, this.rates, this.clock));
      this.keepAtMs = progress.elapsedMs + this.keptEveryMs;
    }
    this.show(statusText(progress, this.rates, this.clock, this.output.columns));
  }

  /** Any text in place of a run's status. */
  show(text: string): void {
    if (!this.enabled) return;
    this.output.write(TO_LINE_START + fitted(text, this.output.columns) + ERASE_TO_END);
    this.visible = true;
  }

  /** A line that stays, also in a pipe. */
  note(text: string): void {
    this.clear();
    this.output.write(`${text}\n`);
  }

  clear(): void {
    if (this.visible) this.output.write(TO_LINE_START + ERASE_TO_END);
    this.visible = false;
  }

  private measure({ elapsedMs, counters, loads }: RunProgress): void {
    const { atMs, totals, loads: before } = this.sample;
    const intervalMs = elapsedMs - atMs;
    if (intervalMs <= (this.clock === 'wall' ? RATE_INTERVAL_MS : 0)) return;
    const now = workTotals(counters);
    const rate = (amount: number): number => perSecond(amount, intervalMs * NANOSECONDS_PER_MILLISECOND);
    this.rates = {
      faultsPerSecond: rate(now.faults - totals.faults),
      migrationsPerSecond: rate(now.migrations - totals.migrations),
      bytesPerSecond: rate(now.toVramBytes - totals.toVramBytes),
      loadsPerSecond: loads.map(({ load, operations }) => {
        const earlier = before.find((one) => one.load === load)?.operations ?? 0;
        return [load, rate(operations - earlier)];
      }),
    };
    this.sample = { atMs: elapsedMs, totals: now, loads };
  }
}

/**
 * `[wall: 00m:12s, eta 00m:08s, 12.3k faults/s, 1.2k migrations/s, 812MB/s to VRAM][60%][R(5),W(2)][munmap 203/s wall]`: what matters most
 * comes first, since a narrow terminal shows no more. What is broken comes before all else, and leaves room for the times.
 */
export function statusText(
  progress: RunProgress,
  rates: Rates,
  clock: ClockName,
  columns = Number.POSITIVE_INFINITY,
): string {
  const { phase, actors, elapsedMs, remainingMs, violation } = progress;
  const phaseText = phase === 'running' ? '' : `${phase} `;
  const broken = violation === null ? '' : `[broken: ${brokenText(violation, columns)}]`;
  const share = remainingMs === null ? '' : `[${formatShare(shareDone(elapsedMs, remainingMs))}]`;
  const figures = [
    timeText(elapsedMs, clock),
    ...(remainingMs === null ? [] : [`eta ${timeText(remainingMs, clock)}`]),
    `${formatRate(rates.faultsPerSecond)} faults/s`,
    `${formatRate(rates.migrationsPerSecond)} migrations/s`,
    `${formatBandwidth(rates.bytesPerSecond)} to VRAM`,
  ].join(', ');
  const loads = rates.loadsPerSecond
    .map(([load, perSecond]) => `${load} ${formatRate(perSecond)}/s`)
    .join(', ');
  const loadText = loads === '' ? '' : `[${loads} ${clock}]`;
  return `${phaseText}${broken}[${clock}: ${figures}]${share}[${condensedLetters(actors)}]${loadText}`;
}

/** Its first line: those after it tell what happened before. */
function brokenText(violation: string, columns: number): string {
  const [first] = violation.split('\n');
  const most = Math.max(BROKEN_COLUMNS_MIN, columns - TIMES_COLUMNS);
  return first.length <= most ? first : `${first.slice(0, most - 3)}...`;
}

/** Simulated runs are short. */
function timeText(ms: number, clock: ClockName): string {
  return clock === 'wall' ? formatClock(ms) : formatNs(ms * NANOSECONDS_PER_MILLISECOND);
}

/** Runs of the same letter as one with their length: `R(4),W(1),R(2)`. */
export function condensedLetters(actors: readonly Pick<ActorStatus, 'letter'>[]): string {
  const runs: { letter: string; length: number }[] = [];
  for (const { letter } of actors) {
    const last = runs.at(-1);
    if (last?.letter === letter) last.length++;
    else runs.push({ letter, length: 1 });
  }
  return runs.map(({ letter, length }) => `${letter}(${length})`).join(',');
}

function shareDone(elapsedMs: number, remainingMs: number): number {
  const allMs = elapsedMs + remainingMs;
  return allMs > 0 ? elapsedMs / allMs : 0;
}

/** A line that wraps could not be written over; the last column wraps on some terminals. */
function fitted(text: string, columns: number): string {
  return text.length < columns ? text : text.slice(0, Math.max(0, columns - 1));
}
