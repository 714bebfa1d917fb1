/** `svmsim top`: a running simulation like `top`, which can be paused, stepped and looked into. */

import type { Command } from 'commander';
import { UserError } from '../base/userError.js';
import { topKeys } from '../report/topView.js';
import type { RunReport } from '../simulation/runReport.js';
import type { SimulationConfig } from '../simulation/simulationConfig.js';
import type { CliHost, Screen } from './cliHost.js';
import { addChecksOption, addCommonOptions, addExamples, type CommonOptions } from './commonOptions.js';
import type { ExitStatus } from './exitStatus.js';
import { keepFilesApart } from './outputFiles.js';
import { ResultOutput } from './resultOutput.js';
import { type OneRun, publishRun, type Runner } from './runCommand.js';
import { scenarioPath } from './scenarioPath.js';
import { DEFAULT_STRESS_SCENARIO } from './stressCommand.js';
import { TopScreen } from './topScreen.js';

export function addTopCommand(program: Command, action: Runner<CommonOptions>): void {
  const command = program
    .command('top')
    .summary('shows a running simulation: actors, queues, links and locks; pauses, steps and inspects it')
    .description(
      'Runs a scenario under the threads executor and shows, twice a second, what every actor does and waits for, what the links carry and which locks are held. At the end it prints what svmsim run prints.',
    )
    .argument(
      '[scenario]',
      `a file, or the name of a scenario that comes with svmsim (default: ${DEFAULT_STRESS_SCENARIO})`,
    );
  addChecksOption(addCommonOptions(command))
    .addHelpText(
      'after',
      ['', 'Keys:', ...topKeys.map(([key, word, does]) => `  ${key}  ${word}: ${does}`)].join('\n'),
    )
    .action(action);
  addExamples(command, [
    ['svmsim top', 'eight GPUs under invalidations'],
    ['svmsim top my.yaml --devices 2', 'a scenario of your own'],
  ]);
}

export async function topCommand(
  scenario: string | undefined,
  options: CommonOptions,
  host: CliHost,
): Promise<ExitStatus> {
  const screen = host.screen();
  if (screen === null) {
    throw new UserError({
      where: 'top',
      found: 'input or output that is no terminal',
      allowed: 'a terminal; svmsim run shows a run anywhere, and SIGUSR1 what each actor of it waits for',
    });
  }
  const path = scenarioPath(scenario ?? DEFAULT_STRESS_SCENARIO);
  keepFilesApart(options, [path]);
  const output = new ResultOutput(host, options.json);
  const loaded = host.simulator.loadScenario(path, { executor: 'threads', ...options });
  if (loaded.executor !== 'threads') {
    throw new UserError({
      where: '--executor virtual',
      found: 'virtual',
      allowed: 'threads: what runs on one thread can be watched by replay',
    });
  }
  const config = await host.simulator.withPrograms(loaded);
  host.simulator.checkMachine(config);
  const report = await watch(config, screen, host);
  const run: OneRun = { command: 'top', path, options, more: [], runOptions: {} };
  return publishRun(report, config, run, output, host);
}

async function watch(config: SimulationConfig, screen: Screen, host: CliHost): Promise<RunReport> {
  const quitting = new AbortController();
  const top = new TopScreen(screen, titleOf(config), () => quitting.abort());
  try {
    return await host.interruptible(
      async (signal) => {
        signal.addEventListener('abort', () => quitting.abort());
        const simulation = await host.simulator.makeSimulation(config);
        return simulation.run({
          signal: quitting.signal,
          onLive: (live) => top.attach(live),
        });
      },
      () => {},
    );
  } finally {
    top.close();
  }
}

function titleOf({ name, deviceCount, svm, seed }: SimulationConfig): string {
  return `${name}: ${deviceCount} devices, layout ${svm.layout}, seed ${seed}`;
}
