/** `svmsim bench`: throughput and latency tables. */

import type { Command } from 'commander';
import { UserError } from '../base/userError.js';
import type { JsonDocument } from '../report/json.js';
import { didYouMean } from '../scenario/didYouMean.js';
import type { Benchmark, BenchOptions, BenchOutcome } from './bench/benchmark.js';
import { benchmarks } from './bench/benchmarks.js';
import type { CliHost } from './cliHost.js';
import { addCommonOptions, addExamples } from './commonOptions.js';
import { ExitStatus } from './exitStatus.js';
import { ResultOutput } from './resultOutput.js';

export interface BenchCommandOptions extends BenchOptions {
  readonly list?: boolean;
}

export type BenchRunner = (names: string[], options: BenchCommandOptions) => Promise<void>;

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
    .argument('[name...]', `benchmarks (default: all): ${benchmarks.map(({ name }) => name).join(', ')}`);
  addCommonOptions(command)
    .option('--list', 'lists the benchmarks')
    .option('--scenario <file>', 'machine to measure on (default: that of the benchmark)')
    .option('--samples <n>', 'measurements per figure, of which the median counts; at least 3', '9');
  for (const benchmark of benchmarks) benchmark.addOptions(command);
  command.action(action);
  addExamples(command, [
    ['svmsim bench migrate', 'a matrix of GB/s for each size, RAM and two GPUs'],
    ['svmsim bench migrate --devices 4 --sizes 64KiB,2MiB --samples 9', 'four GPUs, two sizes'],
    ['svmsim bench migrate --executor virtual', 'what the cost model says, in simulated time'],
    [
      "svmsim bench migrate --json - | jq '.results[] | [.name, .sizeBytes, .wall.bytesPerSecond]'",
      'figures for scripts',
    ],
  ]);
}

/** All that was typed is looked at before the first benchmark begins. */
export async function benchCommand(
  names: readonly string[],
  options: BenchCommandOptions,
  host: CliHost,
): Promise<ExitStatus> {
  const chosen = names.length === 0 ? benchmarks : [...new Set(names)].map(benchmarkNamed);
  if (options.list === true) {
    const width = Math.max(...benchmarks.map(({ name }) => name.length));
    host.stdout.write(benchmarks.map(({ name, what }) => `${name.padEnd(width)}  ${what}\n`).join(''));
    return ExitStatus.Ok;
  }
  const output = new ResultOutput(host, options.json);
  const measurements = chosen.map((benchmark) => benchmark.prepare(options, host));
  const outcomes: BenchOutcome[] = [];
  for (const measure of measurements) {
    outcomes.push(await measure());
    if (outcomes.at(-1)?.status === ExitStatus.Interrupted) break;
  }
  output.publish(
    () => outcomes.map(({ table }) => table()).join('\n'),
    () => joined(outcomes.map(({ document }) => document())),
  );
  return severity.find((status) => outcomes.some((outcome) => outcome.status === status)) ?? ExitStatus.Ok;
}

/** One document of several: their checks and results one after another, under the head of the first. */
function joined(documents: readonly JsonDocument[]): JsonDocument {
  const [first, ...others] = documents;
  if (others.length === 0) return first;
  return {
    ...first,
    ok: documents.every(({ ok }) => ok),
    partial: documents.some(({ partial }) => partial),
    benchmarks: documents.flatMap(({ benchmarks: names }) => names),
    checks: documents.flatMap(({ checks }) => checks),
    results: documents.flatMap(({ results }) => results),
    time: {
      wallNs: documents.reduce((sum, { time }) => sum + time.wallNs, 0),
      simulatedNs: documents.reduce((sum, { time }) => sum + time.simulatedNs, 0),
    },
  };
}

function benchmarkNamed(name: string): Benchmark {
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
