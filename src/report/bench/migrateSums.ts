/** What the pairs of a migration test come to: those that move at once together, others one after another. */

import { median } from '../../base/statistics.js';
import type { MigrateCell, MigrateFlowResult, MigrateTimes } from '../../simulation/bench/migrate.js';
import { migrateTests } from '../../simulation/bench/migrateTests.js';
import type { ClockName } from '../clock.js';
import type { MatrixSum } from '../matrix.js';
import { rateOf } from './rates.js';

/** Bytes per second that arrived, sample by sample. */
export function bandwidths(times: MigrateTimes | null): number[] {
  return times === null ? [] : times.times.flatMap((ns, i) => rateOf(times.bytes[i], ns) ?? []);
}

/** Samples of what all pairs come to: of each group that moves at once, or of all pairs that move one after another. */
export function sumSamples(cell: MigrateCell, clock: ClockName): number[] {
  if (!migrateTests[cell.test].isTogether) return sumsOfRates(cell.flows, clock);
  return groupsOf(cell).flatMap((flows) => togetherRates(flows, clock));
}

/**
 * One of a test of single pairs, otherwise one of each group, and where there are several one of all, which is the figure of that name; medians of
 * samples.
 */
export function matrixSums(cell: MigrateCell, clock: ClockName): MatrixSum[] {
  if (!migrateTests[cell.test].isTogether)
    return summed(sumsOfRates(cell.flows, clock), 'of pairs measured one after another');
  const groups = groupsOf(cell);
  const ofEach = groups.flatMap((flows) => {
    const which = groups.length === 1 ? 'all pairs at once' : `${groupName(flows)} at once`;
    return summed(togetherRates(flows, clock), `${which}, until the last has ended`);
  });
  const ofAll = groups.length === 1 ? [] : summed(sumSamples(cell, clock), 'the median of all groups');
  return [...ofEach, ...ofAll];
}

/** Of the group that a pair moved with; null for one that moved alone. */
export function groupRateOf(
  cell: MigrateCell,
  { group }: MigrateFlowResult,
  clock: ClockName,
): number | null {
  if (!migrateTests[cell.test].isTogether) return null;
  const flows = cell.flows.filter((flow) => flow.group === group);
  const rates = togetherRates(flows, clock);
  return rates.length === 0 ? null : median(rates);
}

export function groupsOf({ flows }: MigrateCell): MigrateFlowResult[][] {
  const numbers = [...new Set(flows.map(({ group }) => group))];
  return numbers.map((number) => flows.filter(({ group }) => group === number));
}

function summed(samples: readonly number[], of: string): MatrixSum[] {
  return samples.length === 0 ? [] : [{ bytesPerSecond: median(samples), of }];
}

/** Of as many samples as all pairs have. */
function sumsOfRates(flows: readonly MigrateFlowResult[], clock: ClockName): number[] {
  const speeds = flows.flatMap((flow) => (flow[clock] === null ? [] : [bandwidths(flow[clock])]));
  return eachSample(speeds, (i) => speeds.reduce((sum, speed) => sum + speed[i], 0));
}

/**
 * All that arrived over the time until the last has ended. The rates of the pairs do not add up to it: one that ends early leaves the link to the others,
 * and would count as if it had gone on at its rate.
 */
function togetherRates(flows: readonly MigrateFlowResult[], clock: ClockName): number[] {
  const all = flows.flatMap((flow) => flow[clock] ?? []);
  return eachSample(
    all.map(({ times }) => times),
    (i) => {
      const bytes = all.reduce((sum, times) => sum + times.bytes[i], 0);
      return rateOf(bytes, Math.max(...all.map(({ times }) => times[i])));
    },
  );
}

function eachSample(samples: readonly (readonly number[])[], of: (i: number) => number | null): number[] {
  const count = samples.length === 0 ? 0 : Math.min(...samples.map(({ length }) => length));
  return Array.from({ length: count }, (_, i) => of(i)).filter((sample) => sample !== null);
}

/** By the memory that all its pairs have in common. */
function groupName(flows: readonly MigrateFlowResult[]): string {
  const sources = [...new Set(flows.map(({ source }) => source))];
  const destinations = [...new Set(flows.map(({ destination }) => destination))];
  if (flows.length === 1) return `${sources[0]} to ${destinations[0]}`;
  if (sources.length === 1) return `from ${sources[0]}`;
  if (destinations.length === 1) return `to ${destinations[0]}`;
  return `between ${[...new Set([...sources, ...destinations])].join(' and ')}`;
}
