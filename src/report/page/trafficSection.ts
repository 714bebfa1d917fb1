/** Bytes between each two places as a table whose cells are the darker the more went there. */

import type { RunData, TrafficData } from '../html/reportData.js';
import { formatBytes } from '../units.js';
import { h, note } from './dom.js';
import { needsTrace, type Section, sum, traced } from './section.js';

const LIGHTEST = 0.08;
const DARKEST = 0.95;
/** From here on light text stands out better on a light page, and from there dark text on a dark one. */
const HOT = 0.79;
const WARM = 0.6;

export function trafficSection(runs: readonly RunData[]): Section {
  const all = traced(runs);
  const largest = Math.max(0, ...all.flatMap(({ trace }) => trace.traffic.bytes.flat()));
  const maps = all.map(({ trace, label }) => heatMap(trace.traffic, label, largest));
  return {
    id: 'traffic',
    title: 'Copies from place to place',
    intro:
      'What copy engines moved, from the place in the row to the place in the column. The darker, the more; the scale is that of the square root.',
    body:
      all.length === 0 ? [needsTrace()] : [h('div', { class: all.length > 1 ? 'pair' : 'single' }, ...maps)],
  };
}

function heatMap({ places, bytes }: TrafficData, label: string, largest: number): HTMLElement {
  const total = sum(bytes.flat());
  if (total === 0) return h('div', {}, label === '' ? null : h('h3', {}, label), note('Nothing was copied.'));
  const head = h(
    'tr',
    {},
    h('th', { scope: 'col' }, 'from \\ to'),
    ...places.map((place) => h('th', { scope: 'col', class: 'number' }, place)),
    h('th', { scope: 'col', class: 'number' }, 'all'),
  );
  const rows = places.map((place, from) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, place),
      ...bytes[from].map((amount) => cell(amount, largest)),
      h('td', { class: 'number total' }, formatBytes(sum(bytes[from]))),
    ),
  );
  const sums = places.map((_, to) =>
    h('td', { class: 'number total' }, formatBytes(sum(bytes.map((row) => row[to])))),
  );
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Copies from place to place' },
    h(
      'table',
      { class: 'heat' },
      h('caption', {}, label === '' ? 'Bytes copied' : `Bytes copied, ${label.toLowerCase()}`),
      h('thead', {}, head),
      h('tbody', {}, ...rows),
      h(
        'tfoot',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, 'all'),
          ...sums,
          h('td', { class: 'number total' }, formatBytes(total)),
        ),
      ),
    ),
  );
}

function cell(amount: number, largest: number): HTMLElement {
  const element = h('td', { class: 'number' }, amount === 0 ? '·' : formatBytes(amount));
  if (amount === 0) {
    element.classList.add('none');
    return element;
  }
  const share = Math.sqrt(amount / largest);
  const heat = LIGHTEST + share * (DARKEST - LIGHTEST);
  element.style.setProperty('--heat', String(Math.round(100 * heat)));
  element.classList.toggle('hot', heat >= HOT);
  element.classList.toggle('warm', heat >= WARM);
  return element;
}
