/** `svmsim stress`: concurrent invalidation for a time or an amount of work, verified again and again. */

import type { Command } from 'commander';
import { loadClasses } from '../scenario/placedLoads.js';
import type { CliHost } from './cliHost.js';
import { addChecksOption, addCommonOptions, addExamples, type CommonOptions } from './commonOptions.js';
import type { ExitStatus } from './exitStatus.js';
import { loadsOf } from './loadOption.js';
import { DAY_MS, secondsAsMs } from './optionValues.js';
import { keepFilesApart } from './outputFiles.js';
import { type Runner, runOnce } from './runCommand.js';
import { scenarioPath } from './scenarioPath.js';
import { addStatusOption, type StatusOptions, statusEvery } from './statusOption.js';
import { addTraceOption, type TraceOptions } from './traceOption.js';

export const DEFAULT_STRESS_SCENARIO = 'stress';
const DEFAULT_VERIFY_SECONDS = '5';
/** Longer than any operation takes, on a machine that does a lot beside it. */
const DEFAULT_STUCK_SECONDS = '20';

export interface StressCommandOptions extends CommonOptions, TraceOptions, StatusOptions {
  readonly seconds?: string;
  readonly verifyEvery: string;
  /** Each `name[=rate],...`. */
  readonly load?: readonly string[];
  readonly verify?: boolean;
  readonly stuckAfter: string;
}

export function addStressCommand(program: Command, action: Runner<StressCommandOptions>): void {
  const command = program
    .command('stress')
    .summary('concurrent invalidation, with a live status line and a verdict')
    .description(
      'Unmaps, protects, drops and moves memory while GPUs use it, stops everything now and then to verify every byte, and says whether anything was lost, leaked or left mapped.',
    )
    .argument(
      '[scenario]',
      `a file, or the name of a scenario that comes with svmsim (default: ${DEFAULT_STRESS_SCENARIO})`,
    );
  addTraceOption(addChecksOption(addCommonOptions(command)))
    .option(
      '--seconds <n>',
      'how long, in place of the duration of the scenario; simulated seconds under virtual',
    )
    .option(
      '--verify-every <seconds>',
      'time between two verifications; 0: only at the end',
      DEFAULT_VERIFY_SECONDS,
    )
    .option(
      '--load <name[=rate],...>',
      `loads in place of those of the scenario: ${loadClasses.join(', ')}; a rate is per second, such as fork=10; without one as often as it goes; can be repeated`,
      (value: string, before: readonly string[] = []) => [...before, value],
    )
    .option('--verify', 'loads and compares after each operation of a load all that it worked on')
    .option(
      '--stuck-after <seconds>',
      'ends the run when an actor waits for somebody for so long without getting on; 0: never',
      DEFAULT_STUCK_SECONDS,
    )
    .action(action);
  addStatusOption(command);
  addExamples(command, [
    ['svmsim stress --seconds 20', 'eight GPUs fight over one buffer for 20 seconds'],
    [
      'svmsim stress --devices 2 --layout one-to-one --seconds 60 --verify-every 1',
      'a mirror per device, verified each second',
    ],
    [
      'svmsim stress --load munmap=200,fork=10,cpu-fault --verify --seconds 60',
      'three loads at their rates, each operation verified',
    ],
    ['svmsim stress my.yaml --executor virtual --seed 3', 'a scenario of your own, in simulated time'],
    [
      'svmsim stress --devices 16 --set join-leave.operations=unlimited --set join-leave.pause=5ms',
      'devices that leave the process and join it again under the same load',
    ],
    [
      'svmsim stress --seconds 600 --json stress.json --quiet',
      'for a nightly job: the exit status tells, the document has the figures',
    ],
  ]);
}

export async function stressCommand(
  scenario: string | undefined,
  options: StressCommandOptions,
  host: CliHost,
): Promise<ExitStatus> {
  const { seconds, verifyEvery, load, verify, stuckAfter } = options;
  const verifyEveryMs = secondsAsMs('--verify-every', verifyEvery, 0, DAY_MS);
  const stuckAfterMs = secondsAsMs('--stuck-after', stuckAfter, 0, DAY_MS);
  const loads = {
    ...(load === undefined ? {} : { loads: loadsOf(load) }),
    ...(verify === true ? { verifiesLoads: true } : {}),
  };
  const duration = seconds === undefined ? {} : { durationMs: secondsAsMs('--seconds', seconds, 1, DAY_MS) };
  const path = scenarioPath(scenario ?? DEFAULT_STRESS_SCENARIO);
  keepFilesApart(options, [path]);
  const more = [
    ...(seconds === undefined ? [] : ['--seconds', seconds]),
    ...(load ?? []).flatMap((one) => ['--load', one]),
    ...(verify === true ? ['--verify'] : []),
    ...(verifyEvery === DEFAULT_VERIFY_SECONDS ? [] : ['--verify-every', verifyEvery]),
    ...(stuckAfter === DEFAULT_STUCK_SECONDS ? [] : ['--stuck-after', stuckAfter]),
  ];
  const run = {
    command: 'stress',
    path,
    options: { ...options, ...duration, ...loads },
    more,
    runOptions: { verifyEveryMs, stuckAfterMs },
    ...statusEvery(options),
  };
  return runOnce(run, host);
}
