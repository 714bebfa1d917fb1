/** The options of `svmsim explore` and `svmsim replay`, without what they need to run. */

import { type Command, Option } from 'commander';
import { type StrategyName, strategyNames } from '../explore/strategies/makeStrategy.js';
import { traceEndings } from '../report/trace/traceFormat.js';
import { layouts } from '../simulation/simulationConfig.js';
import { addExamples } from './commonOptions.js';

export interface ExploreOptions {
  readonly schedules?: string;
  readonly seconds?: string;
  readonly seed: string;
  readonly jobs?: string;
  readonly strategy?: StrategyName;
  readonly bug?: string;
  readonly filter?: string;
  readonly keepGoing?: boolean;
  readonly swarm?: boolean;
  readonly checks?: string;
  /** False with --no-shrink. */
  readonly shrink?: boolean;
  readonly devices?: string;
  readonly layout?: string;
  readonly set?: readonly string[];
  readonly policy?: string;
  readonly output?: string;
  readonly json?: string;
  readonly quiet?: boolean;
}

export interface ReplayOptions {
  readonly stopAt?: string;
  readonly verbose?: boolean;
  readonly policy?: string;
  readonly quiet?: boolean;
  readonly trace?: string;
}

export function addExploreCommand(
  program: Command,
  action: (file: string | undefined, options: ExploreOptions) => Promise<void>,
): void {
  const command = program
    .command('explore')
    .summary('searches schedules for one that goes wrong')
    .description(
      'Runs a small scenario or case again and again, each time with another schedule, under checkers that watch every step. What it finds is written to a file that svmsim replay repeats.',
    )
    .argument(
      '[file]',
      'a scenario, or a case file (.json); that of the bug with --bug, otherwise explore-race',
    )
    .option('--schedules <n>', 'schedules to run (default: 20000, or no limit with --seconds)')
    .option('--seconds <n>', 'wall time after which no schedule begins, and one that runs is soon cut off')
    .option('--seed <n>', 'seed of every random choice', '1')
    .option('--jobs <n>', 'workers (default: as many as cores); the result does not depend on it')
    .addOption(
      new Option('--strategy <name>', 'how schedules are chosen (default: a portfolio)').choices(
        strategyNames,
      ),
    )
    .option('--bug <id>', 'puts a known bug into the protocol')
    .option('--filter <regex>', 'which case of the file')
    .option('--keep-going', 'goes on after the first failure, and tells of each kind once')
    .option(
      '--swarm',
      'explores made-up scenarios instead, each from a seed: one with disturbances, which then stop',
    )
    .option(
      '--checks <which>',
      'invariants that are watched step by step: all, cheap, none, or names such as I3,M6 (default: all)',
    )
    .option('--no-shrink', 'leaves a failure as it was found')
    .option('--devices <n>', 'number of GPUs of a scenario')
    .addOption(new Option('--layout <name>', 'one mirror for all devices, or one each').choices(layouts))
    .option('--set <key=value>', 'sets any key of the scenario; can be repeated', collected)
    .option('--policy <file>', 'an ES module with policies, drivers or programs of your own')
    .option(
      '--output <file>',
      'where a failure is written, in place of an earlier one (default: svmsim-failure.bin, or the next of svmsim-failure-2.bin, ... that is free)',
    )
    .option('--json <file>', 'writes the result as one JSON document; - for standard output')
    .option('--quiet', 'no progress on standard error')
    .action(action);
  addExamples(command, [
    ['svmsim explore', 'the small race that comes with svmsim'],
    ['svmsim explore --bug B107', 'whether a known bug is found'],
    ['svmsim explore my.yaml --seconds 60 --jobs 2', 'a small scenario of your own'],
    ['svmsim explore my.yaml --policy driver.mjs', 'a driver of your own, before it is written in C'],
    ['svmsim explore --swarm --seconds 60', 'made-up scenarios, as many as there is time for'],
    [
      'svmsim explore test/cases/svmsim-reference.json --filter "fork while"',
      'a case with branches side by side',
    ],
  ]);
}

export function addReplayCommand(
  program: Command,
  action: (file: string, options: ReplayOptions) => Promise<void>,
): void {
  const command = program
    .command('replay')
    .summary('repeats a failure that explore has found, step by step')
    .description(
      'Plays a failure file again and prints each step; ends with status 1 when it fails as it did.',
    )
    .argument('<file>', 'a failure file')
    .option('--stop-at <n>', 'ends before step n, and says what everybody is doing')
    .option('--verbose', 'also prints what each page is when that changes')
    .option('--policy <file>', 'the module of your own that the failure was found with')
    .option('--quiet', 'no steps, only the verdict')
    .option('--trace <file>', `records it too; the ending says how: ${traceEndings}`)
    .action(action);
  addExamples(command, [
    ['svmsim replay svmsim-failure.bin', 'what happened'],
    ['svmsim replay svmsim-failure.bin --quiet --trace failure.pftrace', 'a trace of it for Perfetto'],
    ['svmsim replay svmsim-failure.bin --stop-at 120 --verbose', 'up to a step, with the state of pages'],
  ]);
}

function collected(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
