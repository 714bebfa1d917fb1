/**
 * Lets every allocation of every case fail, each in a process of its own that is copied where the allocation is asked for:
 * `node --single-threaded --import tsx tools/failures/failEach.ts FILE...`. What `svmsim case --fail-allocations` does, without running each case
 * from its beginning for each of them: worth it where that takes longer than a copy, some 30 ms.
 *
 * `--from N --to N`: only these allocations, counted from 1. `--steps-after N`: steps that a run goes on after the failing one. `--jobs N`: copies at once.
 */

import { writeSync } from 'node:fs';
import { UserError } from '../../src/base/userError.js';
import type { Case } from '../../src/case/caseSchema.js';
import { unknownNeed } from '../../src/case/knownNeeds.js';
import { loadCaseFile } from '../../src/scenario/case/loadCases.js';
import type { CaseProblem } from '../../src/simulation/case/caseReport.js';
import { CaseTrials } from '../../src/simulation/case/caseTrials.js';
import { FailingRun } from '../../src/simulation/case/failingRun.js';
import { CopyingInjector, CopyStatus } from './copyingInjector.js';
import { type FailEachOptions, failEachOptions } from './failEachOptions.js';
import { endCopy } from './processCopy.js';

const SEED = 1;
const STDERR = 2;
/** Copies inherit compiled code: what runs before them have not made hot each of them would compile again. Short cases are over before it pays. */
const WARM_RUNS = 8;
const LONG_ALLOCATIONS = 1000;

/** What a copy prints must be out before it ends. */
function print(line: string): void {
  writeSync(STDERR, `${line}\n`);
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

interface Swept {
  readonly allocations: number;
  readonly runs: number;
  readonly broken: number;
}

function sweep(one: Case, { jobs, stepsAfter, from, to }: FailEachOptions): Swept {
  const trials = new CaseTrials(one, SEED);
  const plain = trials.runPlain();
  const allocations = plain.allocations.length;
  for (const problem of plain.problems) printProblem(problem);
  if (plain.problems.length > 0) return { allocations, runs: 0, broken: 1 };
  if (allocations >= LONG_ALLOCATIONS) for (let i = 1; i < WARM_RUNS; i++) trials.runPlain();
  const injector = new CopyingInjector({ jobs, from, to, print });
  const run = new FailingRun(one, injector, plain.results, stepsAfter);
  try {
    const { problems } = trials.run(run.trial);
    if (injector.failing !== null) endFailing(run.problems(injector.failing, problems));
  } catch (error) {
    if (injector.failing === null) throw error;
    print(`allocation ${injector.failing}: ${error instanceof Error ? error.stack : String(error)}`);
    endCopy(CopyStatus.Crashed);
  }
  injector.awaitAll();
  return { allocations, runs: injector.copies, broken: injector.broken };
}

function printProblem({ step, expectation, found }: CaseProblem): void {
  print(`${step}: expected ${expectation}, found ${found}`);
}

function endFailing(problems: readonly CaseProblem[]): never {
  for (const problem of problems) printProblem(problem);
  return endCopy(problems.length === 0 ? CopyStatus.Clean : CopyStatus.Problems);
}

function main(): void {
  const options = failEachOptions(process.argv.slice(2), process.execArgv);
  const total = { cases: 0, allocations: 0, runs: 0, broken: 0 };
  for (const one of options.files.flatMap((file) => loadCaseFile(file))) {
    if (unknownNeed(one.needs) !== null) continue;
    const start = performance.now();
    const { allocations, runs, broken } = sweep(one, options);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const name = [one.suite, one.name, one.variant ?? ''].join(' ').trim();
    tell(`${name}: ${allocations} allocations, ${runs} runs, ${broken} broken, ${seconds} s wall`);
    total.cases++;
    total.allocations += allocations;
    total.runs += runs;
    total.broken += broken;
  }
  const { cases, allocations, runs, broken } = total;
  tell(`${cases} cases, ${allocations} allocations, ${runs} runs, ${broken} broken`);
  process.exitCode = broken === 0 ? 0 : 1;
}

try {
  main();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  print(`failEach: ${error.message}`);
  process.exitCode = error.exitCode;
}
