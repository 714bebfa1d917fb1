/** `svmsim case`: replays cases and compares with what they expect. */

import { type Command, Option } from 'commander';
import { SEED_MAX } from '../base/seedMax.js';
import type { Case } from '../case/caseSchema.js';
import { caseDocument } from '../report/caseJson.js';
import { caseLines, caseVerdictLine, fullCaseTitle, suiteTable } from '../report/caseReport.js';
import { colorsFor } from '../report/colors.js';
import type { JsonObject } from '../report/json.js';
import { junitXml } from '../report/junit.js';
import { listDocument } from '../report/listDocument.js';
import { type CaseReport, internalCaseReport } from '../simulation/case/caseReport.js';
import type { CaseOptions } from '../simulation/case/runCase.js';
import { type ExecutorName, executors } from '../simulation/simulationConfig.js';
import { CaseQueue, type CaseQueueEvents, type RunTask } from './caseQueue.js';
import type { CliHost } from './cliHost.js';
import { addExamples } from './commonOptions.js';
import { deliver } from './deliver.js';
import { bugLine, ExitStatus, internalText, wantsStack } from './exitStatus.js';
import { refuseBesideList } from './listOptions.js';
import { pattern, refusal, wholeNumber } from './optionValues.js';
import { junitResults, keepFilesApart } from './outputFiles.js';
import { FileOutput, ResultOutput } from './resultOutput.js';
import { shippedPath } from './shippedPath.js';

/** Of options that are there whether somebody typed them or not. */
const DEFAULTS = { executor: 'virtual', seed: '1', checks: 'all' } as const;
const STRIDE_MAX = 1e9;
const JOBS_MAX = 1024;
/** Below, one worker is done before others have started. */
const CASES_WORTH_WORKERS = 100;
/** Between two looks at signals, where a case never waits. */
const BREATHE_MS = 50;

export interface CaseCommandOptions {
  readonly filter?: string;
  readonly list?: boolean;
  readonly executor: ExecutorName;
  readonly seed: string;
  readonly checks: string;
  readonly failAllocations?: boolean;
  readonly failStride?: string;
  readonly jobs?: string;
  readonly junit?: string;
  readonly json?: string;
  readonly quiet?: boolean;
}

export type CaseRunner = (files: string[], options: CaseCommandOptions) => Promise<void>;

export function addCaseCommand(program: Command, action: CaseRunner): void {
  const command = program
    .command('case')
    .summary('replays test cases and compares with what they expect')
    .description(
      'Runs every case of the files on a small machine of its own, checks all invariants after each step, and compares with what the case expects.',
    )
    .argument('<file...>', 'case files, or folders with them')
    .option('--filter <regex>', 'only cases whose suite, name or variant matches')
    .option('--list', 'lists the cases without running them')
    .addOption(
      new Option(
        '--executor <name>',
        'virtual: one thread, repeatable, checks after each step; threads: a worker per actor, checks at the end',
      )
        .choices(executors)
        .default(DEFAULTS.executor),
    )
    .option('--seed <n>', 'seed of every random choice', DEFAULTS.seed)
    .option(
      '--checks <which>',
      'invariants that are watched step by step: all, cheap, none, or names such as I3,M6; none of them with --fail-allocations',
      DEFAULTS.checks,
    )
    .option(
      '--fail-allocations',
      'runs each case again and again, each time with another allocation failing, and checks that this harms nothing; needs --executor virtual',
    )
    .option(
      '--fail-stride <n>',
      'of allocations in the rounds of one loop, only the first two, the last two and every n-th fail (default: 1, with --fail-allocations)',
    )
    .option('--jobs <n>', 'cases at the same time (default: as many as cores where there are many cases)')
    .option('--junit <file>', 'writes the results as JUnit XML')
    .option(
      '--json <file>',
      'writes the results as one JSON document; - for standard output, without the lines',
    )
    .option('--quiet', 'no progress on standard error, and no lines for cases that pass')
    .action(action);
  addExamples(command, [
    ['svmsim case test/cases', 'all cases that come with svmsim'],
    ["svmsim case test/cases --filter 'migrate.*private'", 'those whose name matches'],
    ['svmsim case my.json --executor threads', 'with every actor in a thread of its own'],
    ['svmsim case test/cases --fail-allocations --fail-stride 50', 'what happens when memory is short'],
    ['svmsim case test/cases --junit results.xml --quiet', 'for a build server'],
    ['svmsim case test/cases --json - | jq \'.results[] | select(.status == "fail")\'', 'for scripts'],
  ]);
}

export async function caseCommand(
  typed: readonly string[],
  options: CaseCommandOptions,
  host: CliHost,
): Promise<ExitStatus> {
  if (options.list === true) refuseBesideList(options, ['filter', 'json', 'quiet'], DEFAULTS);
  const files = typed.map((path) => shippedPath(path));
  keepFilesApart(options, files);
  const json = new ResultOutput(host, options.json);
  const junit = new FileOutput('--junit', options.junit, junitResults);
  const seed = wholeNumber('--seed', options.seed, 0, SEED_MAX);
  const failures = failuresOf(options);
  const filter = options.filter === undefined ? null : pattern('--filter', options.filter);
  await host.simulator.checkCheckers(options.checks, options.executor);
  const cases = selected(await host.simulator.loadCases(files), filter);
  const jobs = jobsOf(options, cases.length, host.environment().cores);
  if (options.list === true) {
    const titles = (): string => cases.map((one) => `${fullCaseTitle(one)}\n`).join('');
    json.publish(titles, () => listDocument('case', cases.map(listResult), host.environment()));
    return ExitStatus.Ok;
  }
  const startMs = host.nowMs();
  const how = { executor: options.executor, seed, checks: options.checks, ...failures };
  const run = new CaseRun(cases, how, jobs, options, host);
  const partial = await run.run();
  const { reports } = run;
  const wallNs = (host.nowMs() - startMs) * 1e6;
  const table = (): string =>
    `${suiteTable(reports, run.colors)}\n${caseVerdictLine(reports, cases.length, run.colors)}\n`;
  if (reports.some(({ isInternal }) => isInternal)) host.stderr.write(`${bugLine(wantsStack(host))}\n`);
  const context = { ...options, seed, partial, environment: host.environment(), wallNs };
  return deliver(host, statusOfCases(reports, partial), [
    () => json.publish(table, () => caseDocument(reports, context)),
    () => junit.write(() => junitXml(reports, partial ? cases.length - reports.length : 0)),
  ]);
}

function statusOfCases(reports: readonly CaseReport[], partial: boolean): ExitStatus {
  if (reports.some(({ isInternal }) => isInternal)) return ExitStatus.InternalError;
  if (reports.some(({ status }) => status === 'fail')) return ExitStatus.CheckFailed;
  return partial ? ExitStatus.Interrupted : ExitStatus.Ok;
}

/** Under `virtual` each case uses one core, so that several run at a time; under `threads` it uses several. */
class CaseRun implements CaseQueueEvents {
  readonly reports: CaseReport[] = [];
  readonly colors;
  private breathedMs: number;

  constructor(
    private readonly cases: readonly Case[],
    private readonly how: CaseOptions,
    private readonly jobs: number,
    private readonly options: CaseCommandOptions,
    private readonly host: CliHost,
  ) {
    this.colors = colorsFor(host.variables, host.stdout.isTTY);
    this.breathedMs = host.nowMs();
  }

  /** True when the user ended it before all cases had run. */
  async run(): Promise<boolean> {
    if (this.jobs === 1)
      return this.drain((one, options, signal) => this.runHere(one, { ...options, signal }));
    const pool = await this.host.simulator.openCasePool(this.jobs);
    try {
      return await this.drain((one, options, signal) => pool.run({ one, options }, signal));
    } finally {
      await pool.close();
    }
  }

  starts(one: Case): void {
    if (!this.showsProgress) return;
    const { columns } = this.host.stderr;
    const line = `${this.reports.length}/${this.cases.length} ${fullCaseTitle(one)}`;
    this.host.stderr.write(`\r${line.slice(0, columns - 1)}\x1b[K`);
  }

  broke(one: Case, error: unknown): CaseReport {
    return internalCaseReport(one, internalText(error, wantsStack(this.host)));
  }

  ended(report: CaseReport): void {
    this.reports.push(report);
    this.clearProgress();
    const isQuiet = this.options.quiet === true && report.status === 'pass';
    if (this.options.json === '-' || isQuiet) return;
    this.host.stdout.write(caseLines(report, this.colors));
  }

  private drain(runTask: RunTask): Promise<boolean> {
    const queue = new CaseQueue(this.cases, this.how, runTask, this);
    return this.host.interruptible(
      async (signal) => !(await queue.run(this.jobs, signal)),
      () => this.note('svmsim: stopping; once more to kill'),
    );
  }

  private async runHere(one: Case, options: CaseOptions): Promise<CaseReport> {
    const report = await this.host.simulator.runCase(one, options);
    await this.breathe();
    return report;
  }

  private get showsProgress(): boolean {
    return this.host.stderr.isTTY && this.options.quiet !== true;
  }

  private clearProgress(): void {
    if (this.showsProgress) this.host.stderr.write('\r\x1b[K');
  }

  private note(text: string): void {
    this.clearProgress();
    this.host.stderr.write(`${text}\n`);
  }

  /** Lets signals in. */
  private async breathe(): Promise<void> {
    if (this.host.nowMs() - this.breathedMs < BREATHE_MS) return;
    this.breathedMs = this.host.nowMs();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Nothing where no allocation is to fail. */
function failuresOf({
  failAllocations,
  failStride,
  executor,
  checks,
}: CaseCommandOptions): Pick<CaseOptions, 'failures'> {
  if (failStride !== undefined && failAllocations !== true)
    throw refusal(`--fail-stride ${failStride}`, 'no --fail-allocations', 'both together');
  if (failAllocations !== true) return {};
  if (executor !== 'virtual') {
    const allowed = 'virtual, since a run must repeat for the n-th allocation to be the same one';
    throw refusal('--fail-allocations', `--executor ${executor}`, allowed);
  }
  if (checks !== DEFAULTS.checks && checks !== 'none')
    throw refusal(
      `--checks ${checks}`,
      '--fail-allocations',
      'one of both: such runs are checked after each step',
    );
  return { failures: { stride: wholeNumber('--fail-stride', failStride ?? '1', 1, STRIDE_MAX) } };
}

/** As many as cores where there is enough to do: workers take a while to start. */
function jobsOf(
  { jobs, executor, failAllocations }: CaseCommandOptions,
  cases: number,
  cores: number,
): number {
  if (jobs === undefined) {
    const isLong = failAllocations === true || cases >= CASES_WORTH_WORKERS;
    return executor === 'virtual' && isLong ? Math.max(1, cores) : 1;
  }
  const asked = wholeNumber('--jobs', jobs, 1, JOBS_MAX);
  if (executor === 'virtual' || asked === 1) return asked;
  throw refusal(
    `--jobs ${jobs}`,
    `--executor ${executor}`,
    '1 with that executor, which uses all cores for each case',
  );
}

function listResult({ suite, name, variant }: Case): JsonObject {
  return { suite, name, variant: variant ?? null };
}

function selected(cases: readonly Case[], filter: RegExp | null): Case[] {
  if (filter === null) return [...cases];
  const found = cases.filter((one) => filter.test(fullCaseTitle(one)));
  if (found.length > 0) return found;
  const allowed = `a pattern that one of the ${cases.length} cases matches; --list shows them`;
  throw refusal(`--filter ${filter.source}`, 'no case that matches', allowed);
}
