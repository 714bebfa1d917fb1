/** One figure of a benchmark: samples of one quantity, on one clock, under a name that thresholds and comparisons use. */

import { assert } from '../../base/assert.js';
import { type Summary, summaryOf } from '../../base/statistics.js';
import type { ClockName } from '../clock.js';

/** `plain`: a ratio or a count. */
export type FigureUnit = 'B/s' | 'ns' | '/s' | 'B' | 'plain';

/** What a benchmark measures in each of its cells. */
export interface Metric {
  readonly unit: FigureUnit;
  /** `count`: neither of the two, such as faults counted; it is the same on both. */
  readonly clock: ClockName | 'count';
  readonly better: 'higher' | 'lower' | 'neither';
  /** Measured only where both clocks are asked for. */
  readonly needsBothClocks?: true;
  /** For lists. */
  readonly what: string;
}

export type Metrics = Readonly<Record<string, Metric>>;

export interface Figure {
  /** `migrate.host_to_device.2MiB.memcpyRatio`: benchmark, cell, metric. */
  readonly name: string;
  readonly metric: Metric;
  readonly samples: readonly number[];
  readonly summary: Summary;
}

/** What was measured in one cell: samples by metric; metrics that were not measured are left out. */
export interface MeasuredCell {
  readonly key: string;
  readonly samples: Readonly<Record<string, readonly number[] | null>>;
}

export function figureName(benchmark: string, cell: string, metric: string): string {
  return `${benchmark}.${cell}.${metric}`;
}

/** Of cells in their order; a metric without samples is no figure. */
export function figuresOf(benchmark: string, cells: readonly MeasuredCell[], metrics: Metrics): Figure[] {
  return cells.flatMap(({ key, samples }) =>
    Object.entries(metrics).flatMap(([name, metric]) => {
      const measured = samples[name] ?? [];
      if (measured.length === 0) return [];
      // A document has no way to write others, and no comparison could read them.
      assert(
        measured.every(Number.isFinite),
        () => `${benchmark}.${key}.${name} has a sample that is no number`,
      );
      return [
        {
          name: figureName(benchmark, key, name),
          metric,
          samples: measured,
          summary: summaryOf(measured),
        },
      ];
    }),
  );
}
