/** The catalogue of bugs as a table and as JSON, and the race of strategies for them. */

import { median } from '../base/statistics.js';
import type { BugOverlay, ExpectedVerdict } from '../bugs/bugOverlay.js';
import { allBugs } from '../bugs/catalogue.js';
import { type NotExpressed, notExpressed } from '../bugs/notExpressed.js';
import type { StrategyName } from '../explore/strategies/makeStrategy.js';
import type { Environment, JsonDocument } from './json.js';
import { left, right, textTable } from './textTable.js';
import { formatCount, plural } from './units.js';

/** One bug hunted with one strategy. */
export interface RaceCell {
  readonly bug: string;
  readonly strategy: StrategyName;
  /** Until it was found, or in all. */
  readonly schedules: number;
  /** `otherwise`: something was found, but not what the bug is known to show. */
  readonly found: 'yes' | 'no' | 'otherwise';
  readonly wallSeconds: number;
}

const BASELINE: StrategyName = 'random';

export function bugsTable(): string {
  const rows = allBugs.map(({ id, title, expected, reference }) => [
    id,
    title,
    expected.map(verdictName).join(', '),
    reference,
  ]);
  const lines = [
    ...textTable([left('Bug'), left('What is wrong'), left('Shows as'), left('Reference')], rows),
    '',
    `${plural(allBugs.length, 'bug')}; svmsim bugs --hunt ID looks for one.`,
    '',
    `${formatCount(notExpressed.length)} more that cannot be expressed here:`,
    ...notExpressed.map(({ id, reason }) => `  ${id}  ${reason}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** All that is known of one. */
export function bugText({ id, title, wrong, reference, expected, subject }: BugOverlay): string {
  const lines = [
    `${id}: ${title}`,
    '',
    `What is wrong  ${wrong}`,
    `Reference      ${reference}`,
    `Shows as       ${expected.map(verdictName).join(', or ')}`,
    `Program        ${subject.kind === 'case' ? `case ${subject.program.name}` : `scenario ${subject.path}`}`,
    '',
    `Look for it:   svmsim bugs --hunt ${id}`,
    `in a program of your own:   svmsim explore FILE --bug ${id}`,
  ];
  return `${lines.join('\n')}\n`;
}

function verdictName({ kind, invariant }: ExpectedVerdict): string {
  return invariant === undefined ? kind : `${kind} ${invariant}`;
}

export function notExpressedText({ id, reason }: NotExpressed): string {
  return `${id} cannot be expressed here: ${reason}\n`;
}

/** Of all bugs, or of those that were asked for. */
export function bugsDocument(
  environment: Environment,
  { bugs, others }: { readonly bugs: readonly BugOverlay[]; readonly others: readonly NotExpressed[] } = {
    bugs: allBugs,
    others: notExpressed,
  },
): JsonDocument {
  return {
    ...head(environment, null),
    ok: true,
    partial: false,
    results: bugs.map(({ id, title, wrong, reference, expected, subject }) => ({
      id,
      title,
      wrong,
      reference,
      expected: expected.map(({ kind, invariant }) => ({ kind, invariant: invariant ?? null })),
      subject: subject.kind === 'case' ? subject.program.name : subject.path,
    })),
    ...(others.length > 0 && { notExpressed: others }),
    time: { wallNs: 0, simulatedNs: 0 },
  };
}

/** A row for each bug, a column for each strategy; how often each found it sooner than the baseline is below. */
export function raceTable(cells: readonly RaceCell[], partial: boolean): string {
  const strategies = [...new Set(cells.map(({ strategy }) => strategy))];
  const bugs = [...new Set(cells.map(({ bug }) => bug))];
  const of = (bug: string, strategy: StrategyName): RaceCell | undefined =>
    cells.find((cell) => cell.bug === bug && cell.strategy === strategy);
  const rows = bugs.map((bug) => [bug, ...strategies.map((strategy) => shown(of(bug, strategy)))]);
  const summary = strategies.map((strategy) => {
    const own = cells.filter((cell) => cell.strategy === strategy);
    const found = own.filter((cell) => cell.found === 'yes');
    const median = medianOf(found.map(({ schedules }) => schedules));
    const against = strategy === BASELINE ? ', the baseline' : '';
    return `${strategy}${against}: ${found.length} of ${own.length} found, median ${median === null ? '-' : formatCount(median)} schedules`;
  });
  const lines = [
    'Schedules until the bug was found, and seconds (wall)',
    ...textTable([left('Bug'), ...strategies.map((name) => right(name))], rows),
    '',
    ...summary,
    ...(partial ? ['', 'PARTIAL: interrupted; the figures are those of what was done'] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function shown(cell: RaceCell | undefined): string {
  if (cell === undefined) return '';
  if (cell.found !== 'yes')
    return cell.found === 'no' ? `not in ${formatCount(cell.schedules)}` : 'something else';
  return `${formatCount(cell.schedules)} (${cell.wallSeconds.toFixed(1)}s)`;
}

function medianOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : median(values);
}

/** Each bug shows as what it is expected to show, or not at all. */
export function raceHolds(cells: readonly RaceCell[]): boolean {
  return cells.every(({ found }) => found !== 'otherwise');
}

export function raceDocument(
  cells: readonly RaceCell[],
  run: { seed: number; partial: boolean; wallNs: number; environment: Environment },
): JsonDocument {
  return {
    ...head(run.environment, run.seed),
    ok: raceHolds(cells),
    partial: run.partial,
    results: cells.map((cell) => ({ ...cell })),
    time: { wallNs: run.wallNs, simulatedNs: 0 },
  };
}

function head(
  environment: Environment,
  seed: number | null,
): Pick<
  JsonDocument,
  'svmsim' | 'command' | 'scenario' | 'executor' | 'seed' | 'environment' | 'checks' | 'counters'
> {
  return {
    svmsim: environment.svmsim,
    command: 'bugs',
    scenario: null,
    executor: 'virtual',
    seed,
    environment,
    checks: [],
    counters: { bugs: allBugs.length },
  };
}
