/** What was run, on what, and whether it holds; for two runs also what changed. */

import type { Fact, Judged, RunData, SummaryData } from '../html/reportData.js';
import { formatCount, formatNs } from '../units.js';
import { append, h, note, table } from './dom.js';
import { labelOf, type Section } from './section.js';

const marks = { PASSED: '✔', FAILED: '✘', PARTIAL: '◐' } as const;

export function summarySection(runs: readonly RunData[]): Section {
  const body = h('div', { class: runs.length > 1 ? 'pair' : 'single' });
  append(
    body,
    runs.map((run, i) => card(run, runs, i)),
  );
  return { id: 'summary', title: 'Summary', intro: null, body: [body] };
}

function card(run: RunData, runs: readonly RunData[], index: number): HTMLElement {
  const { summary } = run;
  return h(
    'div',
    { class: 'card' },
    runs.length > 1 ? h('h3', {}, labelOf(runs, index)) : null,
    summary === null
      ? note('A trace alone says nothing of checks: it was recorded without the result of its run.')
      : verdict(summary),
    h(
      'div',
      { class: 'fact-columns' },
      facts('Run', headFacts(run)),
      ...(summary === null
        ? []
        : [facts('Configuration', summary.configuration), facts('Environment', summary.environment)]),
    ),
    ...(summary === null ? [] : details(summary)),
  );
}

function verdict({ verdict: { word, text } }: SummaryData): HTMLElement {
  return h(
    'p',
    { class: `verdict ${word.toLowerCase()}`, role: 'status' },
    h('span', { class: 'mark', 'aria-hidden': 'true' }, marks[word]),
    h('strong', {}, word),
    ` ${text}`,
  );
}

function headFacts({ scenario, executor, seed, clock, source, summary, trace }: RunData): Fact[] {
  const facts: Fact[] = [
    ['scenario', scenario],
    ['executor', `${executor}; times are ${clock}`],
    ['seed', String(seed)],
    ['file', source],
  ];
  if (summary !== null) {
    facts.push(['took', `${formatNs(summary.wallNs)} (wall)`]);
    if (summary.simulatedNs > 0) facts.push(['simulated', `${formatNs(summary.simulatedNs)} (simulated)`]);
    facts.push(['protocol steps', formatCount(summary.steps)]);
  }
  if (trace !== null) facts.push(['events in the trace', eventsText(trace.events, trace.dropped)]);
  return facts;
}

function eventsText(events: number, dropped: number): string {
  const missing = dropped === 0 ? 'none is missing' : `${formatCount(dropped)} found no room and are MISSING`;
  return `${formatCount(events)}; ${missing}`;
}

export function factList(facts: readonly Fact[]): HTMLElement {
  return h(
    'dl',
    { class: 'facts' },
    ...facts.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]),
  );
}

function facts(title: string, all: readonly Fact[]): HTMLElement {
  return h('div', {}, h('h4', {}, title), factList(all));
}

function details({ checks, workloads, failure }: SummaryData): HTMLElement[] {
  const violated = checks.filter(({ ok }) => !ok);
  const held = checks.filter(({ ok, isEmpty }) => ok && isEmpty !== true);
  const empty = checks.filter(({ ok, isEmpty }) => ok && isEmpty === true);
  return [
    ...(failure.length === 0 ? [] : [h('pre', { class: 'failure' }, failure.join('\n'))]),
    ...violated.map(({ name, detail }) => h('p', { class: 'violated' }, `✘ ${name} is violated: ${detail}`)),
    workloads.length === 0
      ? note('No workload.')
      : table(
          'Workloads',
          [{ title: 'Workload' }, { title: 'Result' }, { title: 'Detail' }],
          workloads.map((result) => [result.name, resultWord(result), result.detail]),
        ),
    namesOf(`${formatCount(held.length)} checks held`, held),
    ...(empty.length === 0 ? [] : [namesOf(`${formatCount(empty.length)} had nothing to look at`, empty)]),
  ];
}

function resultWord({ ok, isEmpty }: Judged): string {
  if (!ok) return '✘ WRONG';
  return isEmpty === true ? 'nothing' : '✔ ok';
}

function namesOf(title: string, checks: readonly Judged[]): HTMLElement {
  return folded(title, h('p', { class: 'names' }, checks.map(({ name }) => name).join(', ')));
}

export function folded(title: string, ...content: readonly HTMLElement[]): HTMLElement {
  return h('details', {}, h('summary', {}, title), ...content);
}
