/** The one JSON document of `svmsim bench`: results of each benchmark, and its figures with their samples, which a later run can be compared with. */

import type { CheckResult } from '../../simulation/runReport.js';
import type { SimulationConfig } from '../../simulation/simulationConfig.js';
import { configurationOf, presetHash } from '../configuration.js';
import type { Environment, JsonDocument, JsonObject } from '../json.js';
import type { TestStatus } from './benchReport.js';
import type { Figure } from './figure.js';
import type { ThresholdResult } from './threshold.js';

/** What one benchmark measured. */
export interface BenchPart {
  readonly name: string;
  readonly config: SimulationConfig;
  readonly checks: readonly CheckResult[];
  readonly results: readonly JsonObject[];
  readonly statuses: readonly TestStatus[];
  readonly figures: readonly Figure[];
  readonly partial: boolean;
  readonly ok: boolean;
  readonly wallNs: number;
  /** What makes its figures doubtful, in words. */
  readonly warnings: readonly string[];
}

/** Under the head of the first. */
export function benchDocument(
  parts: readonly BenchPart[],
  thresholds: readonly ThresholdResult[],
  /** Of the comparison with an earlier run; null where nobody asked for it. */
  worse: CheckResult | null,
  environment: Environment,
): JsonDocument {
  const { config } = parts[0];
  const figures = parts.flatMap((part) => part.figures);
  const limits = [...thresholds.map(thresholdCheck), ...(worse === null ? [] : [worse])];
  return {
    svmsim: environment.svmsim,
    command: 'bench',
    benchmarks: parts.map(({ name }) => name),
    scenario: config.name,
    executor: config.executor,
    seed: config.seed,
    ok: parts.every(({ ok }) => ok) && limits.every(({ ok }) => ok),
    partial: parts.some(({ partial }) => partial),
    environment,
    configuration: machineOf(config),
    configurations: Object.fromEntries(
      parts.map((part) => [part.name, { ...machineOf(part.config), presetHash: presetHash(part.config) }]),
    ),
    checks: [...parts.flatMap(({ checks }) => checks), ...limits],
    counters: {},
    statuses: parts.flatMap(({ name, statuses }) => statuses.map((one) => ({ benchmark: name, ...one }))),
    results: parts.flatMap(({ results }) => results),
    figures: figures.filter(({ metric }) => metric.clock !== 'wall').map(figureResult),
    wallFigures: figures.filter(({ metric }) => metric.clock === 'wall').map(figureResult),
    wallWarnings: parts.flatMap(({ warnings }) => warnings),
    time: { wallNs: parts.reduce((sum, { wallNs }) => sum + wallNs, 0), simulatedNs: 0 },
  };
}

/** A benchmark has workloads of its own and ends by itself. */
function machineOf(config: SimulationConfig): JsonObject {
  const { workloads, durationMs, checks, ...machine } = configurationOf(config);
  return machine;
}

function figureResult({ name, metric, samples, summary }: Figure): JsonObject {
  const { unit, clock, better } = metric;
  const { median, min, max, spread } = summary;
  return { name, unit, clock, better, median, min, max, spread, samples: [...samples] };
}

/** Its words have a figure of this machine's in them. */
function thresholdCheck({ threshold, ok, detail }: ThresholdResult): CheckResult {
  return { name: `threshold ${threshold.typed}`, ok, detail };
}
