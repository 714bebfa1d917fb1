/** What `svmsim explore --swarm` prints: every scenario with its seed, and what was found. */

import { isTooLong } from '../explore/block.js';
import type { SwarmReport, SwarmScenario } from '../explore/swarm/swarm.js';
import { policyOf } from './configuration.js';
import {
  type ExploreContext,
  findingLines,
  findingRecord,
  keptLines,
  keptRecord,
  TOO_LONG,
} from './exploreReport.js';
import type { Environment, JsonDocument } from './json.js';
import { formatCount, plural } from './units.js';

export type SwarmContext = Omit<ExploreContext, 'name' | 'expected'>;

/** `again` is the command that explores the scenario of a seed alone. */
export function swarmText(
  { scenarios, isPartial }: SwarmReport,
  context: SwarmContext,
  again: (seed: number) => string,
): string {
  const { schedules, undecided } = swarmTotals({ scenarios });
  const steps = total(scenarios, (one) => one.stepsTotal);
  const perSecond = context.wallMs === 0 ? 0 : Math.round((1000 * schedules) / context.wallMs);
  const found = scenarios.find(({ finding }) => finding !== null);
  const lines = [
    ...scenarios.map(scenarioLine),
    '',
    `${plural(scenarios.length, 'scenario')}, ${plural(schedules, 'schedule')}, ${formatCount(perSecond)} schedules/s (wall), ${formatCount(steps)} steps`,
    ...(found?.finding == null
      ? [isTooLong({ schedules, undecided }) ? TOO_LONG : 'found nothing']
      : foundLines(found, context, again)),
  ];
  if (isPartial) lines.push('PARTIAL: interrupted; the figures are those of what was done');
  return `${lines.join('\n')}\n`;
}

function scenarioLine(scenario: SwarmScenario): string {
  const { seed, summary, strategy, schedules, undecided, stepsMax, finding } = scenario;
  const passed = isTooLong(scenario) ? 'TOO LONG' : 'ok';
  const result = finding === null ? passed : finding.verdict.kind.toUpperCase();
  const open = undecided === 0 ? '' : ` (${formatCount(undecided)} not decided)`;
  return `seed ${seed}: ${result}, ${plural(schedules, 'schedule')}${open} by ${strategy}, up to ${plural(stepsMax, 'step')} (${summary})`;
}

function foundLines(
  { seed, finding }: SwarmScenario,
  context: SwarmContext,
  again: (seed: number) => string,
): string[] {
  return [
    ...(finding === null ? [] : findingLines(finding)),
    ...keptLines(context),
    `the same scenario again: ${again(seed)}`,
  ];
}

export function swarmDocument(
  { scenarios, isPartial }: SwarmReport,
  context: SwarmContext,
  again: (seed: number) => string,
  environment: Environment,
): JsonDocument {
  const { seed, bug, own, wallMs } = context;
  const { schedules, undecided } = swarmTotals({ scenarios });
  return {
    svmsim: environment.svmsim,
    command: 'explore',
    scenario: 'swarm',
    executor: 'virtual',
    seed,
    ok: scenarios.every(({ finding }) => finding === null) && !isTooLong({ schedules, undecided }),
    partial: isPartial,
    environment,
    checks: [],
    counters: { scenarios: scenarios.length, schedules, steps: total(scenarios, (one) => one.stepsTotal) },
    bug,
    ...policyOf(own),
    results: scenarios.map((one) => ({
      seed: one.seed,
      summary: one.summary,
      strategy: one.strategy,
      schedules: one.schedules,
      undecided: one.undecided,
      stepsMax: one.stepsMax,
      finding: one.finding === null ? null : findingRecord(one.finding),
      again: again(one.seed),
    })),
    ...keptRecord(context),
    wallSchedulesPerSecond: wallMs === 0 ? 0 : (1000 * schedules) / wallMs,
    time: { wallNs: wallMs * 1e6, simulatedNs: 0 },
  };
}

/** Of all scenarios together. */
export function swarmTotals({ scenarios }: Pick<SwarmReport, 'scenarios'>): {
  schedules: number;
  undecided: number;
} {
  return {
    schedules: total(scenarios, (one) => one.schedules),
    undecided: total(scenarios, (one) => one.undecided),
  };
}

function total(scenarios: readonly SwarmScenario[], of: (one: SwarmScenario) => number): number {
  return scenarios.reduce((sum, one) => sum + of(one), 0);
}
