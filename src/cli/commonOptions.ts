/** The options that every command with a scenario has. */

import { type Command, Option } from 'commander';
import type { ScenarioOverrides } from '../scenario/overrides.js';
import { executors, layouts } from '../simulation/simulationConfig.js';
import { DEFAULT_CHECKS } from '../simulation/withChecks.js';

/** As typed; the scenario loader checks those that it takes. */
export interface CommonOptions extends ScenarioOverrides {
  /** A path, or `-` for standard output. */
  readonly json?: string;
  readonly quiet?: boolean;
}

/** For commands that run simulations, rather than measure them. */
export function addChecksOption(command: Command): Command {
  return command.option(
    '--checks <which>',
    'invariants that are watched step by step: all, cheap, none, or names such as I3,M6',
    DEFAULT_CHECKS,
  );
}

export function addCommonOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--executor <name>',
        'virtual: one thread, simulated time, repeatable; threads: a worker per actor',
      ).choices(executors),
    )
    .option('--seed <n>', 'seed of every random choice')
    .option('--devices <n>', 'number of GPUs')
    .addOption(
      new Option(
        '--layout <name>',
        'n1: one mirror for all devices; n1-shared-fault: and one HMM fault for all; one-to-one: a mirror per device',
      ).choices(layouts),
    )
    .option('--preset <name|file>', 'the machine that simulated time is that of, such as xe-bmg')
    .option('--set <key=value>', 'sets any key of the scenario; can be repeated', collected)
    .option('--policy <file>', 'an ES module with policies, drivers or programs of your own')
    .option(
      '--json <file>',
      'writes the result as one JSON document; - for standard output, without the table',
    )
    .option('--quiet', 'no progress on standard error');
}

/** Examples of a command, each with what it does, below its help. */
export function addExamples(
  command: Command,
  examples: readonly (readonly [line: string, what: string])[],
): Command {
  const lines = examples.flatMap(([line, what]) => [`  # ${what}`, `  ${line}`]);
  return command.addHelpText('after', ['', 'Examples:', ...lines].join('\n'));
}

function collected(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
