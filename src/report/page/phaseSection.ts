/** What migrations and invalidations are made of: phases, causes, kinds of events. */

import type { LatencyData, MigrationCause, PhaseSplit, RunData } from '../html/reportData.js';
import { formatBytes, formatCount, formatNs, formatShare } from '../units.js';
import { h, note, table } from './dom.js';
import { percentileTexts, percentileTitles } from './percentileTexts.js';
import { clockNote, needsTrace, type Section, sum, type Traced, traced } from './section.js';
import { lineStyle, onThemeChange } from './theme.js';

const PAGE_BYTES = 4096;
const number = true;

export function phaseSection(runs: readonly RunData[]): Section {
  const all = traced(runs);
  return {
    id: 'phases',
    title: 'Migrations and invalidations',
    intro: `Phases of migrations by their share of the time, why pages moved, and what invalidations cost (${clockNote(runs)}).`,
    body: all.length === 0 ? [needsTrace()] : all.flatMap(ofRun),
  };
}

function ofRun({ trace, label, run }: Traced): HTMLElement[] {
  const { phases, causes, invalidations } = trace;
  const title = label === '' ? '' : `, ${label.toLowerCase()}`;
  return [
    ...(label === '' ? [] : [h('h3', {}, label)]),
    phases.length === 0 ? note('No pages migrated.') : splits(phases, run.clock),
    ...(causes.length === 0 ? [] : [causeTable(causes, title, run.clock)]),
    invalidations.length === 0
      ? note('Nothing was invalidated.')
      : invalidationTable(invalidations, title, run.clock),
  ];
}

function splits(phases: readonly PhaseSplit[], clock: string): HTMLElement {
  return h('div', { class: 'splits' }, ...phases.map((one) => split(one, clock)));
}

function split({ name, count, phases }: PhaseSplit, clock: string): HTMLElement {
  const total = sum(phases.map(({ ns }) => ns));
  const bar = h('div', { class: 'split', 'aria-hidden': 'true' });
  const parts = phases.map(({ ns }) => {
    const part = h('span', {});
    part.style.flexGrow = String(total === 0 ? 1 : ns / total);
    bar.append(part);
    return part;
  });
  const keys = phases.map(({ name: phase, ns }) => {
    const swatch = h('span', { class: 'swatch', 'aria-hidden': 'true' });
    const each = formatNs(ns / Math.max(1, count));
    const share = shareText(total === 0 ? 0 : ns / total);
    return { swatch, item: h('li', {}, swatch, `${phase}: ${share}, ${each} each`) };
  });
  const paint = (): void => {
    parts.forEach((part, i) => {
      part.style.background = lineStyle(i).stroke;
      keys[i].swatch.style.background = lineStyle(i).stroke;
    });
  };
  paint();
  onThemeChange(paint);
  return h(
    'div',
    { class: 'phase' },
    h(
      'p',
      {},
      h('strong', {}, name),
      ` ${formatCount(count)} times, ${formatNs(total / Math.max(1, count))} each (${clock})`,
    ),
    bar,
    h('ul', { class: 'keys' }, ...keys.map(({ item }) => item)),
  );
}

function shareText(share: number): string {
  return share > 0 && share < 0.005 ? '<1%' : formatShare(share);
}

function causeTable(causes: readonly MigrationCause[], title: string, clock: string): HTMLElement {
  return table(
    `Why pages moved${title}`,
    [
      { title: 'Migration' },
      { title: 'Cause' },
      { title: 'Tried', number },
      { title: 'Failed', number },
      { title: 'Size, with holes', number },
      { title: `Time, all (${clock})`, number },
      { title: 'Time, each', number },
    ],
    causes.map(({ name, cause, count, failed, pages, ns }) => [
      name,
      cause,
      formatCount(count),
      formatCount(failed),
      formatBytes(pages * PAGE_BYTES),
      formatNs(ns),
      formatNs(ns / Math.max(1, count)),
    ]),
  );
}

function invalidationTable(all: readonly LatencyData[], title: string, clock: string): HTMLElement {
  return table(
    `Invalidations by event${title} (${clock})`,
    [{ title: 'Event' }, { title: 'Count', number }, ...percentileTitles.map((title) => ({ title, number }))],
    all.map((latency) => [latency.name, formatCount(latency.count), ...percentileTexts(latency)]),
  );
}
