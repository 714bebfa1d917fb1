/** How long things took: a histogram and percentiles of each kind. */

import { hasPercentile } from '../../observe/tailLatency.js';
import type { LatencyData, RunData } from '../html/reportData.js';
import { formatCount, formatNs } from '../units.js';
import { chart } from './chart.js';
import { h, note, table } from './dom.js';
import { edgesOf, shares } from './histogramBars.js';
import { percentileTexts, percentileTitles } from './percentileTexts.js';
import { clockNote, latenciesOf, type Section } from './section.js';

const HEIGHT = 170;

export function latencySection(runs: readonly RunData[]): Section {
  const names = [...new Set(runs.flatMap((run) => latenciesOf(run).map(({ name }) => name)))];
  const hasBuckets = runs.some((run) => latenciesOf(run).some(({ buckets }) => buckets !== null));
  const clock = clockNote(runs);
  return {
    id: 'latencies',
    title: 'Latencies',
    intro: `How long each kind of thing took (${clock}); faults that failed are ${hasBuckets ? 'left out' : 'among them'}. Percentiles are at most 1/32 above the exact value; N/A where so few were counted that it would be the largest.`,
    body:
      names.length === 0
        ? [note('Nothing was measured: no fault, no invalidation, no migration.')]
        : [
            percentiles(runs, names, clock),
            hasBuckets
              ? h('div', { class: 'cards' }, ...names.flatMap((name) => histogram(name, runs)))
              : note('Histograms need a trace; the result of a run keeps percentiles alone.'),
          ],
  };
}

function percentiles(runs: readonly RunData[], names: readonly string[], clock: string): HTMLElement {
  const rows = names.flatMap((name) =>
    runs.flatMap((run, i) => {
      const found = latenciesOf(run).find((one) => one.name === name);
      if (found === undefined) return [];
      const title = runs.length > 1 ? `${name}, ${i === 0 ? 'before' : 'after'}` : name;
      return [[title, formatCount(found.count), ...percentileTexts(found), formatNs(found.meanNs)]];
    }),
  );
  const number = true;
  return table(
    `Percentiles (${clock})`,
    [
      { title: 'What' },
      { title: 'Count', number },
      ...percentileTitles.map((title) => ({ title, number })),
      { title: 'mean', number },
    ],
    rows,
  );
}

interface Found {
  readonly latency: LatencyData;
  readonly run: number;
}

function histogram(name: string, runs: readonly RunData[]): HTMLElement[] {
  const found = runs.flatMap((run, i): Found[] => {
    const latency = latenciesOf(run).find((one) => one.name === name);
    return latency === undefined || latency.buckets === null ? [] : [{ latency, run: i }];
  });
  if (found.length === 0) return [];
  const edges = edgesOf(found.flatMap(({ latency }) => latency.buckets ?? []).map(([topNs]) => topNs));
  const lines = found.map(({ latency, run }) => ({
    name: runs.length > 1 ? (run === 0 ? 'before' : 'after') : 'share',
    values: shares(latency, edges),
    isArea: run === runs.length - 1,
    color: run,
  }));
  const { count, p50Ns, p99Ns } = found[found.length - 1].latency;
  const plot = chart({
    label: `Histogram of ${name}`,
    x: edges,
    lines,
    nameX: 'from',
    formatX: formatNs,
    formatY: (share) => `${Math.round(share * 100)}%`,
    height: HEIGHT,
    isLog: true,
    marks: [
      { at: p50Ns, text: `p50 ${formatNs(p50Ns)}` },
      ...(hasPercentile(count, 0.99) ? [{ at: p99Ns, text: `p99 ${formatNs(p99Ns)}` }] : []),
    ],
  });
  const counts = found
    .map(
      ({ latency, run }) =>
        `${formatCount(latency.count)}${runs.length > 1 ? (run === 0 ? ' before' : ' after') : ''}`,
    )
    .join('; ');
  return [h('figure', { class: 'card' }, h('figcaption', {}, h('strong', {}, name), ` (${counts})`), plot)];
}
