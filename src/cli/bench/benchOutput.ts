/** How the outcomes of benchmarks are printed: as tables, as Markdown, as comma-separated figures, or as one document. */

import { unreachable } from '../../base/assert.js';
import { benchDocument } from '../../report/bench/benchDocument.js';
import { figuresAsCsv } from '../../report/bench/figuresAsCsv.js';
import type { ThresholdResult } from '../../report/bench/threshold.js';
import { type Colors, noColors } from '../../report/colors.js';
import { policyText, presetHash } from '../../report/configuration.js';
import { type Environment, jsonText } from '../../report/json.js';
import { blocksAsMarkdown, blocksAsText, type ReportBlock } from '../../report/reportBlock.js';
import { plural } from '../../report/units.js';
import { verdictLine } from '../../report/verdict.js';
import type { CheckResult } from '../../simulation/runReport.js';
import type { BenchFormat } from './benchOptions.js';
import type { BenchOutcome } from './runBenchmark.js';

export interface BenchResults {
  readonly outcomes: readonly BenchOutcome[];
  readonly thresholds: readonly ThresholdResult[];
  /** Against an earlier run; empty without one. */
  readonly comparison: readonly ReportBlock[];
  /** Whether something is worse than the earlier run by more than was said; null where nothing was. */
  readonly worse: CheckResult | null;
  readonly environment: Environment;
}

export function printed(results: BenchResults, format: BenchFormat, colors: Colors): string {
  switch (format) {
    case 'table':
      return blocksAsText(blocksOf(results, colors), colors);
    case 'markdown':
      return blocksAsMarkdown(blocksOf(results, noColors));
    case 'csv':
      return figuresAsCsv(results.outcomes.flatMap(({ figures }) => figures));
    case 'json':
      return jsonText(documentOf(results));
    default:
      return unreachable(format);
  }
}

export function documentOf({ outcomes, thresholds, worse, environment }: BenchResults): object {
  return benchDocument(outcomes, thresholds, worse, environment);
}

function blocksOf(
  { outcomes, thresholds, comparison, worse, environment }: BenchResults,
  colors: Colors,
): ReportBlock[] {
  const hasLimits = thresholds.length > 0 || worse !== null;
  const areSound = outcomes.every(isSound);
  return [
    ...outcomes.flatMap((outcome) => [
      ...outcomeBlocks(outcome, environment, colors),
      { lines: [verdictText(outcome, hasLimits, colors)] },
    ]),
    ...thresholdBlocks(thresholds, areSound && worse === null, colors),
    ...comparison,
    ...worseBlocks(worse, areSound && thresholds.every(({ ok }) => ok), colors),
  ];
}

function outcomeBlocks(outcome: BenchOutcome, environment: Environment, colors: Colors): ReportBlock[] {
  const { blocks, warnings } = outcome;
  return [
    { lines: [headLine(outcome, environment)] },
    ...blocks,
    ...(warnings.length === 0 ? [] : [{ lines: warnings.map((line) => colors.yellow(line)) }]),
  ];
}

/** Whether all passed is said once: below the last limit, where there are any. */
function verdictText({ verdict }: Pick<BenchOutcome, 'verdict'>, hasLimits: boolean, colors: Colors): string {
  return hasLimits && isSound({ verdict }) ? `Held: ${verdict.text}` : verdictLine(verdict, colors);
}

/** Nothing of it was wrong or cut off. */
function isSound({ verdict }: Pick<BenchOutcome, 'verdict'>): boolean {
  return verdict.ok && !verdict.partial;
}

/** What was measured on what. */
function headLine(
  { name, config, figures }: BenchOutcome,
  { cpu, cores, node, svmsim }: Environment,
): string {
  const { deviceCount, svm, seed, cost } = config;
  const policy = policyText(config);
  const samples = Math.max(0, ...figures.map(({ summary }) => summary.count));
  const machine = `${plural(deviceCount, 'device')}, layout ${svm.layout}, seed ${seed}, cost ${cost.preset} (${presetHash(config)})${policy === null ? '' : `, policy ${policy}`}`;
  return `${name}: ${machine}, figures of up to ${plural(samples, 'sample')}; ${cpu}, ${plural(cores, 'core')}, Node ${node}, svmsim ${svmsim}`;
}

/** They pass the run only where the benchmarks themselves do, and nothing else is to be held. */
function thresholdBlocks(
  thresholds: readonly ThresholdResult[],
  passes: boolean,
  colors: Colors,
): ReportBlock[] {
  if (thresholds.length === 0) return [];
  const lines = thresholds.map(({ ok, detail }) =>
    ok ? `${colors.green('held')}    ${detail}` : `${colors.red('BROKEN')}  ${detail}`,
  );
  const broken = thresholds.filter(({ ok }) => !ok).length;
  const all = plural(thresholds.length, 'threshold');
  const told = { lines: ['Thresholds', ...lines] };
  if (broken > 0)
    return [told, { lines: [verdictLine({ word: 'FAILED', text: `${broken} of ${all} broken` }, colors)] }];
  return passes ? [told, { lines: [verdictLine({ word: 'PASSED', text: `${all} held` }, colors)] }] : [told];
}

/** It passes the run only where all else does. */
function worseBlocks(worse: CheckResult | null, passes: boolean, colors: Colors): ReportBlock[] {
  if (worse === null) return [];
  if (worse.ok && !passes) return [{ lines: [`Held: ${worse.detail}`] }];
  return [{ lines: [verdictLine({ word: worse.ok ? 'PASSED' : 'FAILED', text: worse.detail }, colors)] }];
}
