/** `svmsim run`: one simulation with a summary and a verdict, or a sweep over seeds. */

import { type Command, Option } from 'commander';
import type { Trace } from '../observe/trace/trace.js';
import { clockOf } from '../report/clock.js';
import { colorsFor } from '../report/colors.js';
import { policyText } from '../report/configuration.js';
import { type DocumentContext, runDocument } from '../report/json.js';
import { StatusLine } from '../report/statusLine.js';
import { summaryTable } from '../report/summaryTable.js';
import { verdictOf } from '../report/verdict.js';
import type { LiveRun } from '../simulation/liveRun.js';
import type { RunOptions } from '../simulation/runOptions.js';
import type { RunProgress, RunReport } from '../simulation/runReport.js';
import type { SimulationConfig } from '../simulation/simulationConfig.js';
import { againLine } from './againLine.js';
import type { CliHost } from './cliHost.js';
import { addChecksOption, addCommonOptions, addExamples, type CommonOptions } from './commonOptions.js';
import { deliver, isWritten } from './deliver.js';
import { BUG_LINE, type ExitStatus, internalLine, statusOf } from './exitStatus.js';
import { keepFilesApart } from './outputFiles.js';
import { Question } from './question.js';
import { ResultOutput } from './resultOutput.js';
import { runNotes } from './runNotes.js';
import { scenarioPath } from './scenarioPath.js';
import { addStatusOption, type StatusOptions, statusEvery } from './statusOption.js';
import { runSweep, type SweepOptions } from './sweep.js';
import { addTraceOption, type TraceOptions, TraceOutput } from './traceOption.js';

export const DEFAULT_RUN_SCENARIO = 'n1-mirror';

export interface RunCommandOptions extends CommonOptions, SweepOptions, TraceOptions, StatusOptions {}

export type Runner<O> = (scenario: string | undefined, options: O) => Promise<void>;

export function addRunCommand(program: Command, action: Runner<RunCommandOptions>): void {
  const command = program
    .command('run')
    .summary('one simulation: a table of what happened, and a verdict')
    .description(
      'Runs a scenario once, prints what every device did and checks every byte. With --seeds, runs it once for each seed.',
    )
    .argument(
      '[scenario]',
      `a file, or the name of a scenario that comes with svmsim (default: ${DEFAULT_RUN_SCENARIO})`,
    );
  addTraceOption(addChecksOption(addCommonOptions(command)))
    .addOption(
      new Option('--seeds <first..last>', 'a run for each seed under the virtual executor').conflicts('seed'),
    )
    .option('--jobs <n>', 'runs of a sweep at the same time (default: as many as cores)')
    .action(action);
  addStatusOption(command);
  addExamples(command, [
    ['svmsim run', 'four GPUs mirror one address space, each in a thread of its own'],
    ['svmsim run one-to-one --devices 2', 'the same work with a mirror per device, on two GPUs'],
    [
      'svmsim run --executor virtual --seed 7 --json run.json',
      'repeatable: the same seed gives the same run, bit for bit',
    ],
    ['svmsim run --set devices.vram=16MiB --set svm.placement=system', 'any key of the scenario'],
    ['svmsim run --seeds 1..20 --jobs 2', 'twenty seeds, two at a time, with a line for each'],
    ['svmsim run --json - | jq .counters', 'counters for scripts'],
    ['svmsim run --trace run.pftrace', 'what every actor did when, for ui.perfetto.dev'],
    ['svmsim run --report run.html', 'the same as a page: residency, latencies, lock waits'],
  ]);
}

export async function runCommand(
  scenario: string | undefined,
  options: RunCommandOptions,
  host: CliHost,
): Promise<ExitStatus> {
  const path = scenarioPath(scenario ?? DEFAULT_RUN_SCENARIO);
  keepFilesApart(options, [path]);
  if (options.seeds !== undefined || options.jobs !== undefined) return runSweep(path, options, host);
  return runOnce({ command: 'run', path, options, more: [], runOptions: {}, ...statusEvery(options) }, host);
}

/** One run of a command that has a scenario. */
export interface OneRun {
  readonly command: string;
  readonly path: string;
  readonly options: CommonOptions & TraceOptions;
  /** Options of this command alone, to be typed again. */
  readonly more: readonly string[];
  readonly runOptions: Pick<RunOptions, 'verifyEveryMs' | 'stuckAfterMs'>;
  /** Of the clock of the run: the status line is kept each time so much has passed; never unless told. */
  readonly statusEveryMs?: number;
}

export async function runOnce(run: OneRun, host: CliHost): Promise<ExitStatus> {
  const { path, options } = run;
  const output = new ResultOutput(host, options.json);
  const trace = new TraceOutput(options);
  const loaded = await host.simulator.withPrograms(host.simulator.loadScenario(path, options));
  const config = trace.isWanted ? { ...loaded, trace: true } : loaded;
  host.simulator.checkMachine(config);
  for (const note of runNotes(run.command, config, options)) host.stderr.write(`${note}\n`);
  const report = await recording(trace, host, () => simulate(config, run, trace, host));
  const status = await publishRun(report, config, run, output, host);
  if (!trace.isWanted) return status;
  const context: DocumentContext = { command: run.command, config, environment: host.environment() };
  return deliver(host, status, [() => trace.write(runDocument(report, context), host.stderr)]);
}

/** Prints what a run gave. */
export async function publishRun(
  report: RunReport,
  config: SimulationConfig,
  run: OneRun,
  output: ResultOutput,
  host: CliHost,
): Promise<ExitStatus> {
  const context: DocumentContext = { command: run.command, config, environment: host.environment() };
  const table = (): string =>
    summaryTable(report, {
      colors: colorsFor(host.variables, host.stdout.isTTY),
      layout: config.svm.layout,
      policy: policyText(config),
      again: againLine(run, config),
    });
  const verdict = verdictOf(report);
  const publish = (): void => output.publish(table, () => runDocument(report, context));
  const status = await deliver(host, statusOf(verdict), [publish]);
  if (verdict.internal) host.stderr.write(`${internalLine(verdict.text)}\n${BUG_LINE}\n`);
  return status;
}

/** What was recorded of a run that came to no result is kept too. */
async function recording<T>(trace: TraceOutput, host: CliHost, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    await isWritten(host, () => trace.write(null, host.stderr));
    throw error;
  }
}

async function simulate(
  config: SimulationConfig,
  { options, runOptions, statusEveryMs }: OneRun,
  trace: TraceOutput,
  host: CliHost,
): Promise<RunReport> {
  const clock = clockOf(config.executor);
  const status = new StatusLine(host.stderr, options.quiet === true, clock, statusEveryMs);
  const question = new Question((text) => status.note(text), clock);
  const release = host.onQuestion(() => void question.ask());
  try {
    return await host.interruptible(
      async (signal) => {
        const simulation = await host.simulator.makeSimulation(config);
        const recorded = trace.isWanted ? { onTrace: (made: Trace): void => trace.keep(made) } : {};
        const onProgress = (progress: RunProgress): void => status.update(progress);
        const onLive = (live: LiveRun): void => question.attach(live);
        const shown = status.isSeen ? { onProgress } : {};
        return simulation.run({ ...runOptions, ...recorded, ...shown, signal, onLive });
      },
      () => status.note('svmsim: stopping; once more to kill'),
    );
  } finally {
    release();
    status.clear();
  }
}
