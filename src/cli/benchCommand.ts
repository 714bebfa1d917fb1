/** `svmsim bench`: throughput and latency tables. */

import type { Command } from 'commander';
import { UserError } from '../base/userError.js';
import { didYouMean } from '../scenario/didYouMean.js';
import { type BenchMigrateOptions, benchMigrate, DEFAULT_SIZES } from './benchMigrate.js';
import type { CliHost } from './cliHost.js';
import { addCommonOptions, addExamples } from './commonOptions.js';
import { ExitStatus } from './exitStatus.js';

export interface BenchCommandOptions extends BenchMigrateOptions {
  readonly list?: boolean;
}

export type BenchRunner = (names: string[], options: BenchCommandOptions) => Promise<void>;

const benchmarks = [
  {
    name: 'migrate',
    what: 'migration throughput from RAM to VRAM, back, and from device to device, directly and through RAM',
  },
] as const;

export function addBenchCommand(program: Command, action: BenchRunner): void {
  const command = program
    .command('bench')
    .summary('throughput and latency tables')
    .description('Measures, prints matrices and tables, and verifies every byte that it moved.')
    .argument('[name...]', `benchmarks (default: all): ${benchmarks.map(({ name }) => name).join(', ')}`);
  addCommonOptions(command)
    .option('--list', 'lists the benchmarks')
    .option(
      '--scenario <file>',
      'machine to measure on: devices, memory, interconnect (default: bench-migrate)',
    )
    .option('--sizes <list>', 'buffer sizes', DEFAULT_SIZES)
    .option('--samples <n>', 'measurements per cell, of which the median counts; at least 3', '9')
    .action(action);
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

export async function benchCommand(
  names: readonly string[],
  options: BenchCommandOptions,
  host: CliHost,
): Promise<ExitStatus> {
  for (const name of names) checkName(name);
  if (options.list === true) {
    host.stdout.write(benchmarks.map(({ name, what }) => `${name}  ${what}\n`).join(''));
    return ExitStatus.Ok;
  }
  return benchMigrate(options, host);
}

function checkName(name: string): void {
  const known = benchmarks.map((benchmark): string => benchmark.name);
  if (known.includes(name)) return;
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
