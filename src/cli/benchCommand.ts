/** `svmsim bench`: throughput and latency, of this machine and of the modelled one. */

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { didYouMean } from '../base/didYouMean.js';
import { UserError } from '../base/userError.js';
import { type BaselineFigure, compareFigures, TESTABLE_MIN } from '../report/bench/baseline.js';
import { baselineBlocks } from '../report/bench/baselineReport.js';
import { conditionLines, conditionsOf } from '../report/bench/conditions.js';
import { checkThreshold } from '../report/bench/threshold.js';
import { checkWorse } from '../report/bench/worseLimit.js';
import { colorsFor } from '../report/colors.js';
import type { JsonObject } from '../report/json.js';
import { listDocument } from '../report/listDocument.js';
import type { PolicyIdentity } from '../simulation/simulationConfig.js';
import { type Baseline, readBaseline } from './bench/baselineFile.js';
import type { BenchOptions } from './bench/benchmark.js';
import { benchmarks } from './bench/benchmarks.js';
import { addBenchOptions, type BenchFormat, benchFormats, refuseStrangers } from './bench/benchOptions.js';
import { type BenchResults, documentOf, printed } from './bench/benchOutput.js';
import type { AnyBenchmark, BenchOutcome } from './bench/runBenchmark.js';
import { readThresholds } from './bench/thresholds.js';
import type { CliHost } from './cliHost.js';
import { addExamples } from './commonOptions.js';
import { deliver } from './deliver.js';
import { ExitStatus, statusOf } from './exitStatus.js';
import { refuseBesideList } from './listOptions.js';
import { percentage, refusal } from './optionValues.js';
import { keepFilesApart } from './outputFiles.js';
import { ResultOutput } from './resultOutput.js';

export type BenchRunner = (names: string[], options: BenchOptions) => Promise<void>;

const SAMPLES_NOTE = '--samples does not change simulated figures, which are the same each time';
/** Of what is better when higher it can be no more than 100. */
const WORSE_PERCENT_MAX = 10_000;
const NO_PROGRAMS = 'policies: a benchmark has workloads of its own; run and stress run programs';

/** Whoever wants these says so. */
const byNameOnly = benchmarks.filter(({ onlyByName }) => onlyByName).map(({ name }) => name);

/** The worst first: it is the status of all. */
const severity: readonly ExitStatus[] = [
  ExitStatus.InternalError,
  ExitStatus.CheckFailed,
  ExitStatus.Interrupted,
];

export function addBenchCommand(program: Command, action: BenchRunner): void {
  const command = program
    .command('bench')
    .summary('throughput and latency tables')
    .description('Measures, prints matrices and tables, and checks what it measured.')
    .argument(
      '[name...]',
      `benchmarks (default: all but ${byNameOnly.join(' and ')}): ${benchmarks.map(({ name }) => name).join(', ')}; behind calibrate, cost presets`,
    );
  addBenchOptions(command, benchmarks);
  command.action((names: string[], options: BenchOptions) => action(names, withDocument(options)));
  addExamples(command, [
    ['svmsim bench migrate', 'a matrix of GB/s for each size, RAM and two GPUs'],
    ['svmsim bench migrate --devices 4 --sizes 64KiB,2MiB --samples 9', 'four GPUs, two sizes'],
    ['svmsim bench migrate --clock simulated', 'what the cost model says, the same each time'],
    [
      "svmsim bench migrate --json - | jq '.results[] | [.name, .sizeBytes, .wall.bytesPerSecond]'",
      'figures for scripts',
    ],
    [
      "svmsim bench migrate --threshold 'migrate.*.2MiB.memcpyRatio>=0.6'",
      'ends with status 1 when a figure is below its limit',
    ],
    ['svmsim bench calibrate xe-bmg', 'a cost preset against what was published of that machine'],
    ['svmsim bench migrate --json before.json', 'to be compared with later'],
    ['svmsim bench migrate --baseline before.json', 'what has changed since, and whether that is chance'],
  ]);
}

/** `--format json` is `--json -` in other words. */
function withDocument(options: BenchOptions): BenchOptions {
  return options.format === 'json' && options.json === undefined ? { ...options, json: '-' } : options;
}

/** All that was typed is looked at before the first benchmark begins. */
export async function benchCommand(
  names: readonly string[],
  options: BenchOptions,
  host: CliHost,
): Promise<ExitStatus> {
  const named = names.length > 0;
  const { chosen, presets } = namedBy(names);
  return benchChosen(chosen, named, presets.length > 0 ? { ...options, presets } : options, host);
}

/** Words behind a benchmark that takes presets are presets, unless they are benchmarks. @throws UserError */
function namedBy(names: readonly string[]): { chosen: readonly AnyBenchmark[]; presets: readonly string[] } {
  if (names.length === 0) return { chosen: benchmarks.filter(({ onlyByName }) => !onlyByName), presets: [] };
  const chosen = new Set<AnyBenchmark>();
  const presets: string[] = [];
  let last: AnyBenchmark | null = null;
  for (const name of names) {
    if (last?.takesPresets === true && !benchmarks.some((benchmark) => benchmark.name === name)) {
      presets.push(name);
      continue;
    }
    last = benchmarkNamed(name);
    chosen.add(last);
  }
  return { chosen: [...chosen], presets };
}

async function benchChosen(
  chosen: readonly AnyBenchmark[],
  named: boolean,
  options: BenchOptions,
  host: CliHost,
): Promise<ExitStatus> {
  if (options.list === true) return list(named ? chosen : benchmarks, options, host);
  refuseStrangers(options, chosen, benchmarks, named);
  const format = formatOf(options);
  keepFilesApart(options, options.presets ?? []);
  const policy =
    options.policy === undefined
      ? null
      : await host.simulator.refusePrograms(resolve(options.policy), NO_PROGRAMS);
  const output = new ResultOutput(host, options.json);
  const worsePercent = worsePercentOf(options);
  const baseline = options.baseline === undefined ? null : baselineFor(chosen, options.baseline);
  const prepared = chosen.map((benchmark) => benchmark.prepare(options, host));
  for (const note of notesOn(options)) host.stderr.write(`svmsim: note: ${note}\n`);
  const known = new Map(prepared.flatMap(({ figures }) => [...figures]));
  const thresholds = readThresholds(options.threshold ?? [], known);
  const outcomes: BenchOutcome[] = [];
  for (const { measure } of prepared) {
    outcomes.push(withPolicy(await measure(), policy));
    if (outcomes.at(-1)?.partial === true) break;
  }
  const figures = outcomes.flatMap((outcome) => outcome.figures);
  const measured: BenchResults = {
    outcomes,
    thresholds: thresholds.map((threshold) => checkThreshold(threshold, figures, known.keys())),
    comparison: [],
    worse: null,
    environment: host.environment(),
  };
  const results = compared(measured, baseline, options.baseline ?? '', worsePercent);
  const colors = colorsFor(host.variables, host.stdout.isTTY);
  const table = (): string => printed(results, format, colors);
  // Neither comma-separated figures nor a document end with a verdict.
  const isTold = format === 'table' || format === 'markdown';
  if (results.worse?.ok === false && !isTold) host.stderr.write(`svmsim: ${results.worse.detail}\n`);
  return deliver(host, statusOfAll(results), [() => output.publish(table, () => documentOf(results))]);
}

/** @throws UserError for options of a measurement, and for forms that a list does not have. */
function list(listed: readonly AnyBenchmark[], options: BenchOptions, host: CliHost): ExitStatus {
  refuseBesideList(options, ['json', 'format', 'quiet']);
  const format = formatOf(options);
  if (format !== 'table' && format !== 'json')
    throw refusal('--list', `together with --format ${format}`, '--format table or json');
  new ResultOutput(host, options.json).publish(
    () => listText(listed),
    () => listDocument('bench', listed.map(listResult), host.environment()),
  );
  return ExitStatus.Ok;
}

function listText(listed: readonly AnyBenchmark[]): string {
  const tests = listed
    .filter((benchmark) => benchmark.tests.length > 0)
    .map((benchmark) => `\nTests of ${benchmark.name}:\n${namedLines(benchmark.tests).join('\n')}\n`);
  return [`${namedLines(listed).join('\n')}\n`, ...tests].join('');
}

function listResult({ name, what, tests }: AnyBenchmark): JsonObject {
  return { name, what, tests: tests.map((test) => ({ name: test.name, what: test.what })) };
}

function namedLines(named: readonly { readonly name: string; readonly what: string }[]): string[] {
  const width = Math.max(...named.map(({ name }) => name.length));
  return named.map(({ name, what }) => `${name.padEnd(width)}  ${what}`);
}

/** @throws UserError also for a document that has no figure of what is measured. */
function baselineFor(chosen: readonly AnyBenchmark[], path: string): Baseline {
  const baseline = readBaseline(path);
  const { figures } = baseline;
  if (chosen.some(({ name }) => figures.some((figure) => isOf(figure, name)))) return baseline;
  const found = [...new Set(figures.map(({ name }) => name.split('.')[0]))];
  const names = chosen.map(({ name }) => name);
  throw refusal(`--baseline ${path}`, `figures of ${found.join(', ')}`, `figures of ${names.join(', ')}`);
}

/** Figures begin with the name of their benchmark. */
function isOf({ name }: BaselineFigure, benchmark: string): boolean {
  return name.startsWith(`${benchmark}.`);
}

/** @throws UserError where two results would go to standard output. */
function formatOf({ format, json }: BenchOptions): BenchFormat {
  const found = benchFormats.find((one) => one === (format ?? 'table'));
  if (found === undefined) throw refusal('--format', String(format), benchFormats.join(', '));
  if (json === '-' && format !== undefined && found !== 'json') {
    throw refusal(`--format ${found}`, '--json -', 'one result on standard output; --json takes a file too');
  }
  return found;
}

/** @throws UserError */
function worsePercentOf({ baseline, failOnWorse }: BenchOptions): number | null {
  if (failOnWorse === undefined) return null;
  const percent = percentage('--fail-on-worse', failOnWorse, WORSE_PERCENT_MAX);
  if (baseline !== undefined) return percent;
  throw refusal(
    '--fail-on-worse',
    'no --baseline',
    '--fail-on-worse beside --baseline, which it compares with',
  );
}

/** What will not come of what was asked for. */
function notesOn({ clock, samples, baseline }: BenchOptions): string[] {
  if (clock === 'simulated') return samples === undefined ? [] : [SAMPLES_NOTE];
  const isTooFew = baseline !== undefined && samples !== undefined && Number(samples) < TESTABLE_MIN;
  return isTooFew
    ? [
        `--samples ${samples} are too few to tell a change of wall figures from chance, ${TESTABLE_MIN} are needed: none of them will be better or worse`,
      ]
    : [];
}

function compared(
  results: BenchResults,
  baseline: Baseline | null,
  path: string,
  worsePercent: number | null,
): BenchResults {
  if (baseline === null) return results;
  const { outcomes } = results;
  // What another benchmark measured then is not missed now.
  const concerned = baseline.figures.filter((figure) =>
    outcomes.some((outcome) => isOf(figure, outcome.name)),
  );
  const comparison = compareFigures(
    concerned,
    outcomes.flatMap(({ figures }) => figures),
  );
  const lines = differencesFrom(baseline, results);
  return {
    ...results,
    comparison: [...(lines.length === 0 ? [] : [{ lines }]), ...baselineBlocks(comparison, path)],
    worse: worsePercent === null ? null : checkWorse(comparison, worsePercent),
  };
}

/** In what the conditions of the two runs differ, by benchmark. */
function differencesFrom({ figures, document }: Baseline, results: BenchResults): string[] {
  const now = { ...documentOf(results) };
  return results.outcomes
    .filter(({ name }) => figures.some((figure) => isOf(figure, name)))
    .flatMap((outcome) => {
      const hasWall = outcome.figures.some(({ metric }) => metric.clock === 'wall');
      const { name } = outcome;
      return conditionLines(name, conditionsOf(document, name), conditionsOf(now, name), hasWall);
    });
}

/** Results say which module they were measured with. */
function withPolicy(outcome: BenchOutcome, policy: PolicyIdentity | null): BenchOutcome {
  return policy === null ? outcome : { ...outcome, config: { ...outcome.config, policy } };
}

function statusOfAll({ outcomes, thresholds, worse }: BenchResults): ExitStatus {
  const statuses = outcomes.map(({ verdict }) => statusOf(verdict));
  const broken = thresholds.some(({ ok }) => !ok) || worse?.ok === false;
  const all = broken ? [...statuses, ExitStatus.CheckFailed] : statuses;
  return severity.find((status) => all.includes(status)) ?? ExitStatus.Ok;
}

function benchmarkNamed(name: string): AnyBenchmark {
  const found = benchmarks.find((benchmark) => benchmark.name === name);
  if (found !== undefined) return found;
  const known = benchmarks.map((benchmark) => benchmark.name);
  throw new UserError({
    where: `bench ${name}`,
    found: name,
    allowed: `a benchmark: ${known.join(', ')}`,
    ...hintFor(name, known),
  });
}

function hintFor(name: string, known: readonly string[]): { hint?: string } {
  if (/\.ya?ml$/.test(name)) return { hint: `a scenario is named by --scenario ${name}` };
  const meant = didYouMean(name, known);
  return meant === null ? {} : { hint: `did you mean ${meant}?` };
}
