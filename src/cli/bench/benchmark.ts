/** What a benchmark of `svmsim bench` is: its name, the options that it takes, what it measures, and what it says of that. */

import type { BenchReport } from '../../report/bench/benchReport.js';
import type { BenchClocks, BenchControl } from '../../simulation/bench/benchRun.js';
import type { SimulationConfig } from '../../simulation/simulationConfig.js';
import type { Simulator } from '../cliHost.js';
import type { CommonOptions } from '../commonOptions.js';
import type { BenchOptionName, SharedOptionName } from './benchOptions.js';

/** As typed; what was not typed is not there. */
export interface BenchOptions extends CommonOptions {
  /** A file, or a name in the configuration folder; each benchmark has its own default. */
  readonly scenario?: string;
  readonly samples?: string;
  readonly list?: boolean;
  readonly format?: string;
  readonly threshold?: readonly string[];
  readonly baseline?: string;
  readonly failOnWorse?: string;
  /** Typed behind the name of a benchmark that takes presets. */
  readonly presets?: readonly string[];
  /** Those of {@link BenchOptionName}. */
  readonly [option: string]: unknown;
}

/** What was typed, and what all benchmarks have in common, looked at already. */
export interface BenchRequest {
  readonly typed: BenchOptions;
  readonly config: SimulationConfig;
  readonly samples: number;
  readonly clocks: BenchClocks;
}

/** What one run of a benchmark will measure. */
export interface BenchPlan<Options> {
  readonly options: Options;
  /** The machine that needs most memory. */
  readonly largest: SimulationConfig;
  /** By which its cells are told apart in names of figures: known before anything is measured. */
  readonly keys: readonly string[];
}

/** For lists. */
export interface NamedTest {
  readonly name: string;
  readonly what: string;
}

export interface Benchmark<Options, Cell> {
  readonly name: string;
  /** What it measures, for lists. */
  readonly what: string;
  /** The scenario that it measures on unless told otherwise. */
  readonly scenario: string;
  /** Those that `--tests` chooses from. */
  readonly tests?: readonly NamedTest[];
  /** Of the options that only some have. */
  readonly takes: readonly BenchOptionName[];
  /** Of the options that all others have, those that would change nothing. */
  readonly without?: readonly SharedOptionName[];
  /** It takes a list of numbers of devices instead of one. */
  readonly sweepsDevices?: boolean;
  /** Words behind its name that are no benchmarks are cost presets. */
  readonly takesPresets?: boolean;
  /** It is no part of a run of all. */
  readonly onlyByName?: boolean;
  readonly samplesMax: number;
  readonly report: BenchReport<Cell>;
  /** Looks at its own options. @throws UserError */
  plan(request: BenchRequest): BenchPlan<Options>;
  measure(
    simulator: Simulator,
    config: SimulationConfig,
    options: Options & BenchControl<Cell>,
  ): Promise<readonly Cell[]>;
  /** Of the status line, once a cell is measured. */
  progress(cell: Cell): string;
}

/** The text of an option that has a default. */
export function textOption(options: BenchOptions, name: BenchOptionName, byDefault: string): string {
  const value = options[name];
  return typeof value === 'string' ? value : byDefault;
}
