/** What a benchmark of `svmsim bench` is: a name, options, a measurement, and what it says afterwards. */

import type { Command } from 'commander';
import type { JsonDocument } from '../../report/json.js';
import type { CliHost } from '../cliHost.js';
import type { CommonOptions } from '../commonOptions.js';
import type { ExitStatus } from '../exitStatus.js';

/** As typed, or their defaults: those that all benchmarks share. A benchmark reads its own with {@link textOption}. */
export interface BenchOptions extends CommonOptions {
  /** A file, or a name in the configuration folder; each benchmark has its own default. */
  readonly scenario?: string;
  readonly samples: string;
  readonly [option: string]: unknown;
}

/** Each is made only where it is wanted. */
export interface BenchOutcome {
  readonly table: () => string;
  readonly document: () => JsonDocument;
  readonly status: ExitStatus;
}

export type Measurement = () => Promise<BenchOutcome>;

export interface Benchmark {
  readonly name: string;
  /** What it measures, for lists. */
  readonly what: string;
  /** Those that only this benchmark has; they have defaults. */
  addOptions(command: Command): void;
  /** Looks at all options before anything is measured. @throws UserError */
  prepare(options: BenchOptions, host: CliHost): Measurement;
}

/** The value of an option that has a default. */
export function textOption(options: BenchOptions, name: string, byDefault: string): string {
  const value = options[name];
  return typeof value === 'string' ? value : byDefault;
}
