/** Faults, invalidations, memory in use and traffic over the time of the run. */

import type { RunData, TimeSeries } from '../html/reportData.js';
import { formatBandwidth, formatBytes, formatCount, formatNs } from '../units.js';
import { chart } from './chart.js';
import { h, note } from './dom.js';
import { clockNote, needsTrace, type Section, type Traced, traced } from './section.js';

const NS_PER_S = 1e9;

export function timeSection(runs: readonly RunData[]): Section {
  const all = traced(runs);
  return {
    id: 'time',
    title: 'Over time',
    intro: `Drag over a chart to zoom, double-click to see all; a click on a name in the legend hides its line. Times are ${clockNote(runs)}.`,
    body: all.length === 0 ? [needsTrace()] : all.flatMap(ofRun),
  };
}

function ofRun({ trace, label }: Traced): HTMLElement[] {
  const { rates, vram, links } = trace;
  const bin = formatNs(rates.binNs);
  return [
    ...(label === '' ? [] : [h('h3', {}, label)]),
    plot(`Faults and retries per ${bin}`, only(rates, isFault), formatCount, 'No fault.'),
    plot(
      `Invalidations and migrations per ${bin}`,
      only(rates, (name) => !isFault(name)),
      formatCount,
      'No invalidation, no migration.',
    ),
    plot('VRAM in use', vram, formatBytes, 'No device memory was used.', true),
    plot('Copied per second', perSecond(links), formatBandwidth, 'Nothing was copied.'),
  ];
}

function isFault(name: string): boolean {
  return name.endsWith('faults') || name === 'retries';
}

function only({ binNs, lines }: TimeSeries, wanted: (name: string) => boolean): TimeSeries {
  return { binNs, lines: lines.filter(({ name }) => wanted(name)) };
}

function plot(
  title: string,
  { binNs, lines }: TimeSeries,
  formatY: (value: number) => string,
  empty: string,
  isBinary = false,
): HTMLElement {
  const used = lines.filter(({ values }) => values.some((value) => value > 0));
  const heading = h('figcaption', {}, h('strong', {}, title));
  if (used.length === 0) return h('figure', { class: 'card' }, heading, note(empty));
  const x = used[0].values.map((_, i) => i * binNs);
  const drawn = chart({
    label: title,
    x,
    lines: used,
    nameX: 'time',
    formatX: (ns) => formatNs(Math.max(0, ns)),
    formatY,
    isBinary,
  });
  return h('figure', { class: 'card' }, heading, drawn);
}

function perSecond({ binNs, lines }: TimeSeries): TimeSeries {
  return {
    binNs,
    lines: lines.map(({ name, values }) => ({
      name,
      values: values.map((bytes) => (bytes * NS_PER_S) / binNs),
    })),
  };
}
