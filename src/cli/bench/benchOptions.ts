/** The options of `svmsim bench`: those that all benchmarks take, and those that only some do, which the others refuse. */

import { type Command, Option } from 'commander';
import { addCommonOptions } from '../commonOptions.js';
import { refusal } from '../optionValues.js';
import type { BenchOptions } from './benchmark.js';

export const benchFormats = ['table', 'json', 'csv', 'markdown'] as const;
export type BenchFormat = (typeof benchFormats)[number];

export const clockChoices = ['wall', 'simulated', 'both'] as const;

interface OptionText {
  readonly flags: string;
  readonly what: string;
  readonly choices?: readonly string[];
  /** What the option says where no value follows it. */
  readonly preset?: string;
  /** Every command with a scenario has it. */
  readonly isCommon?: boolean;
}

/** By the names under which they are typed values. */
const ownOptions = {
  clock: {
    flags: '--clock <which>',
    what: 'wall: this machine; simulated: the cost model; both',
    choices: clockChoices,
  },
  devices: { flags: '--devices <n>', what: 'number of GPUs', isCommon: true },
  layout: { flags: '--layout <name>', what: 'layout of the mirror', isCommon: true },
  policy: { flags: '--policy <file>', what: 'policies of your own', isCommon: true },
  sizes: { flags: '--sizes <list>', what: 'buffer sizes, such as 4KiB,64KiB,2MiB' },
  tests: { flags: '--tests <list>', what: 'which of its tests, or all; --list shows them' },
  ranges: { flags: '--ranges <list>', what: 'sizes of the ranges that move, such as 4KiB,64KiB,2MiB' },
  storm: {
    flags: '--storm [which]',
    what: 'invalidations of what moves: off, on, or both one after the other',
    preset: 'both',
  },
  join: {
    flags: '--join [which]',
    what: 'ranges of less than 2MiB that lie side by side: off: each migrates by itself, as with xe; on: together, as with amdgpu and nouveau; both (default)',
    preset: 'on',
  },
  outstanding: { flags: '--outstanding <list>', what: 'faults under way at once, ascending' },
  events: { flags: '--events <list>', what: 'protect, unmap, discard, migrate, or all' },
  rates: { flags: '--rates <list>', what: 'rounds per second at most, or most: one right after the other' },
  overlaps: {
    flags: '--overlaps <list>',
    what: 'two calls at once with so many percent of their spans in common, or none: one call',
  },
  entries: { flags: '--entries <list>', what: 'how many entries, ascending' },
  deviceCounts: { flags: '--device-counts <list>', what: 'numbers of devices, ascending' },
} as const satisfies Readonly<Record<string, OptionText>>;

export type BenchOptionName = keyof typeof ownOptions;

/** Options of every benchmark but those on which they have no effect. */
const sharedNames = ['scenario', 'executor', 'preset', 'set', 'seed', 'samples'] as const;
export type SharedOptionName = (typeof sharedNames)[number];

export const DEFAULT_SAMPLES = '9';

const optionNames = Object.keys(ownOptions) as BenchOptionName[];

interface Taker {
  readonly name: string;
  readonly takes: readonly BenchOptionName[];
  readonly without: readonly SharedOptionName[];
}

/** None has a default here: what was not typed must be told from what was. */
export function addBenchOptions(command: Command, benchmarks: readonly Taker[]): void {
  addCommonOptions(command)
    .option('--list', 'lists the benchmarks')
    .option('--scenario <file>', 'machine to measure on (default: that of the benchmark)')
    .option(
      '--samples <n>',
      `measurements per figure, of which the median counts; at least 3 (default: ${DEFAULT_SAMPLES})`,
    )
    .addOption(new Option('--format <name>', 'form of the result (default: table)').choices(benchFormats))
    .option(
      '--threshold <expr>',
      "limit of a figure, such as 'migrate.*.2MiB.memcpyRatio>=0.6'; broken: exit 1; can be repeated",
      collected,
    )
    .option('--baseline <file>', 'compares with the document that an earlier run wrote with --json')
    .option(
      '--fail-on-worse <percent>',
      'with --baseline: exit 1 when a figure is worse by more than that, and not by chance',
    );
  for (const name of optionNames) {
    const text: OptionText = ownOptions[name];
    if (text.isCommon === true) continue;
    const option = new Option(text.flags, `${takersOf(name, benchmarks).join(', ')}: ${text.what}`);
    if (text.choices !== undefined) option.choices(text.choices);
    if (text.preset !== undefined) option.preset(text.preset);
    command.addOption(option);
  }
}

/**
 * Refuses an option that a benchmark which was asked for by name does not take; where all run, one that nobody takes. A head of the output that names
 * what had no part in the figures would be wrong.
 *
 * @throws UserError
 */
export function refuseStrangers(
  options: BenchOptions,
  chosen: readonly Taker[],
  all: readonly Taker[],
  named: boolean,
): void {
  for (const name of sharedNames) {
    if (options[name] === undefined) continue;
    const refused = refuserIn(chosen, named, ({ without }) => without.includes(name));
    if (refused === undefined) continue;
    throw refusal(
      `bench ${refused.name}`,
      `--${name}`,
      `options of ${refused.name}`,
      'it has no effect on it',
    );
  }
  for (const name of optionNames) {
    if (options[name] === undefined) continue;
    const refused = refuserIn(chosen, named, ({ takes }) => !takes.includes(name));
    if (refused === undefined) continue;
    const flag = ownOptions[name].flags.split(' ')[0];
    throw refusal(
      `bench ${refused.name}`,
      flag,
      `options of ${refused.name}`,
      `${flag} is an option of ${takersOf(name, all).join(', ')}`,
    );
  }
}

function refuserIn(
  chosen: readonly Taker[],
  named: boolean,
  refuses: (taker: Taker) => boolean,
): Taker | undefined {
  return named || chosen.every(refuses) ? chosen.find(refuses) : undefined;
}

function takersOf(name: BenchOptionName, benchmarks: readonly Taker[]): string[] {
  return benchmarks.filter(({ takes }) => takes.includes(name)).map((benchmark) => benchmark.name);
}

function collected(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
