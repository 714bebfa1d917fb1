/** Who waited for what, and what had to be done again. */

import type { CauseCount, RunData, WaitTable } from '../html/reportData.js';
import { formatCount, formatNs } from '../units.js';
import { changeText } from './deviceSection.js';
import { barred, h, note, table } from './dom.js';
import { clockNote, labelOf, needsTrace, type Section, traced } from './section.js';

/** Rows that are shown at once; more are a click away. */
const ROWS = 20;
const number = true;

export function lockSection(runs: readonly RunData[]): Section {
  const all = traced(runs);
  return {
    id: 'locks',
    title: 'Lock waits',
    intro: `Time that tasks waited for locks, by lock and by the task that held it when the wait began (${clockNote(runs)}); one for another, waits add up to more than the run took.`,
    body:
      all.length === 0
        ? [needsTrace()]
        : all.flatMap(({ trace, label }) => [
            ...(label === '' ? [] : [h('h3', {}, label)]),
            waitTable('Waits for locks', trace.locks, 'Nobody waited for a lock.'),
            folded(
              'Waits for replies, copy engines and time',
              waitTable('Other waits', trace.waits, 'None.'),
            ),
          ]),
  };
}

function folded(title: string, content: HTMLElement): HTMLElement {
  return h('details', {}, h('summary', {}, title), content);
}

function waitTable(caption: string, { rows: waits, leftOut }: WaitTable, empty: string): HTMLElement {
  if (waits.length === 0) return note(empty);
  const longest = waits[0].totalNs;
  const rows = waits.map(({ what, mode, holder, count, totalNs, maxNs }) => [
    what,
    mode === '' ? '-' : mode,
    holder === '' ? '-' : holder,
    formatCount(count),
    barred(formatNs(totalNs), totalNs / Math.max(1, longest)),
    formatNs(maxNs),
    formatNs(totalNs / Math.max(1, count)),
  ]);
  const columns = [
    { title: 'What' },
    { title: 'For' },
    { title: 'Held by' },
    { title: 'Waits', number },
    { title: 'Time, all', number },
    { title: 'longest', number },
    { title: 'mean', number },
  ];
  const more = rows.length - ROWS;
  return h(
    'div',
    {},
    table(caption, columns, rows.slice(0, ROWS)),
    more <= 0
      ? null
      : folded(`${formatCount(more)} more`, table(`${caption}, shorter ones`, columns, rows.slice(ROWS))),
    leftOut.rows === 0
      ? null
      : note(
          `${formatCount(leftOut.rows)} shorter ones are left out, ${formatNs(leftOut.totalNs)} of waiting together.`,
        ),
  );
}

export function retrySection(runs: readonly RunData[]): Section {
  const all = runs.map((run) => ({ retries: run.trace?.retries ?? run.summary?.retries ?? [] }));
  const causes = [...new Set(all.flatMap(({ retries }) => retries.map(keyOf)))];
  const counts = causes.map((cause) =>
    all.map(({ retries }) => retries.find((one) => keyOf(one) === cause)?.count ?? 0),
  );
  const largest = Math.max(1, ...counts.flat());
  const isPair = runs.length > 1;
  const rows = causes
    .map((cause, i) => ({ cause, counts: counts[i] }))
    .sort((a, b) => Math.max(...b.counts) - Math.max(...a.counts))
    .map(({ cause, counts: own }) => [
      ...cause.split('.'),
      ...own.map((count) => barred(formatCount(count), count / largest)),
      ...(isPair ? [changeText(own[0], own[1])] : []),
    ]);
  return {
    id: 'retries',
    title: 'Retries by cause',
    intro:
      'Attempts that failed, by who failed and with which errno. One event can stand in several rows: a migration that ends with EBUSY makes its fault begin again.',
    body:
      rows.length === 0
        ? [note('Nothing had to be tried again.')]
        : [
            table(
              'Failed attempts',
              [
                { title: 'Place' },
                { title: 'errno' },
                ...runs.map((_, i) => ({ title: isPair ? labelOf(runs, i).split(':')[0] : 'Count', number })),
                ...(isPair ? [{ title: 'Change', number }] : []),
              ],
              rows,
            ),
          ],
  };
}

function keyOf({ place, errno }: CauseCount): string {
  return `${place}.${errno}`;
}
