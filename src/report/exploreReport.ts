/** What `svmsim explore` prints: how much was searched, what was found, and how sure one may be. */

import type { ExpectedVerdict } from '../bugs/bugOverlay.js';
import { type Finding, isTooLong } from '../explore/block.js';
import type { Coverage, DepthBound } from '../explore/confidence.js';
import type { ExplorationReport } from '../explore/exploration.js';
import type { OwnCode } from '../explore/ownCode.js';
import type { Turn } from '../explore/replay/turns.js';
import { sizeKeys } from '../explore/shrink/programSize.js';
import type { Shrunk } from '../explore/shrink/shrink.js';
import { isExpected, type Verdict } from '../explore/verdict.js';
import { policyOf, policyText } from './configuration.js';
import type { Environment, JsonDocument, JsonObject } from './json.js';
import { scheduleText } from './scheduleText.js';
import { formatCount, plural } from './units.js';

const DETAILS_MAX = 24;
/** A bound above it says nothing. */
const MISSED_WORTH_TELLING = 0.9999;

const SHORTER = 'fewer pages, rounds or devices make them shorter';
export const TOO_LONG = `too long to explore: every schedule still got things done when its steps or the time ran out, so that nothing was decided; ${SHORTER}`;

/** What became of the first thing that was found. */
export interface KeptFailure {
  /** Where the failure was written, and how to repeat it; null where nothing was found, or nothing was to be written. */
  readonly replay: { readonly file: string; readonly command: string } | null;
  /** Null where nothing was found, or it was to be left as it was. */
  readonly shrunk: Shrunk | null;
  /** Its schedule as it is in the file; null where nothing was found. */
  readonly turns: readonly Turn[] | null;
}

export interface ExploreContext extends KeptFailure {
  readonly name: string;
  readonly bug: string | null;
  /** What the bug is known to show in this program; null for a program of one's own. */
  readonly expected: readonly ExpectedVerdict[] | null;
  /** Code of the user's own that took part. */
  readonly own: OwnCode;
  readonly seed: number;
  readonly wallMs: number;
}

export function exploreText(report: ExplorationReport, context: ExploreContext): string {
  const { name, bug, own, wallMs } = context;
  if (report.schedules === 0) return `${name}: interrupted before the first schedule ended\n`;
  const policy = policyText(own);
  const lines = [
    `${name}${bug === null ? '' : ` with bug ${bug}`}${policy === null ? '' : ` with ${policy}`}: ${plural(report.schedules, 'schedule')}, ${formatCount(Math.round(perSecond(report, wallMs)))} schedules/s (wall)`,
    `steps per schedule: min ${report.stepsMin}, average ${report.stepsMean.toFixed(1)}, max ${report.stepsMax}`,
    `strategies: ${report.byStrategy.map(({ strategy, schedules }) => `${strategy} ${formatCount(schedules)}`).join(', ')}`,
    '',
    ...report.findings.flatMap((finding) => [...findingLines(finding), ...otherwiseLines(finding, context)]),
    ...(report.findings.length === 0 && !isTooLong(report) ? ['found nothing'] : []),
    ...keptLines(context),
    ...undecidedLines(report),
    ...(isTooLong(report) ? [] : ['', ...confidenceLines(report)]),
  ];
  if (report.isPartial) lines.push('', 'PARTIAL: interrupted; the figures are those of what was done');
  return `${lines.join('\n')}\n`;
}

function undecidedLines(report: ExplorationReport): string[] {
  const { undecided, schedules } = report;
  if (undecided === 0) return [];
  if (isTooLong(report)) return [TOO_LONG];
  return [
    `${formatCount(undecided)} of ${plural(schedules, 'schedule')} not decided: they still got things done when their steps or the time ran out; ${SHORTER}`,
  ];
}

/** Where the program is that of a known bug: a finding that does not show it. */
function otherwiseLines({ verdict }: Finding, { bug, expected }: ExploreContext): string[] {
  if (expected === null || isExpected(verdict, expected)) return [];
  return [`  this is not what ${bug} is known to show: ${expected.map(expectedTitle).join(', or ')}`];
}

export function expectedTitle({ kind, invariant }: ExpectedVerdict): string {
  return invariant === undefined ? kind : `${kind} of ${invariant}`;
}

/** How small it became, who took how many steps in turn, and where it was written. */
export function keptLines({ replay, shrunk, turns }: KeptFailure): string[] {
  return [
    ...(shrunk === null ? [] : [shrunkLine(shrunk)]),
    ...(turns === null ? [] : [`steps in turn: ${scheduleText(turns)}`]),
    ...(replay === null ? [] : [`written to ${replay.file}; repeat it with: ${replay.command}`]),
  ];
}

/** Of the program only what became less. */
function shrunkLine({ from, to, isCut }: Shrunk): string {
  const parts = sizeKeys
    .filter((key) => to[key] < from[key])
    .map((key) => `${formatCount(from[key])} to ${formatCount(to[key])} ${key}`);
  const cut = isCut ? '; its limit of runs was reached before it could get smaller' : '';
  const of = (name: 'preemption' | 'step', was: number, is: number): string[] =>
    is === was ? [] : [`${formatCount(was)} to ${plural(is, name)}`];
  const preemptions = of('preemption', from.preemptions, to.preemptions);
  const steps = of('step', from.steps, to.steps);
  // Steps may become more where the rest became less: what is smaller comes first.
  const hasFewerSteps = to.steps <= from.steps;
  const all = hasFewerSteps ? [...steps, ...preemptions, ...parts] : [...preemptions, ...parts, ...steps];
  return all.length === 0 ? `could not be made smaller${cut}` : `shrunk from ${all.join(', ')}${cut}`;
}

export function findingLines({ verdict, strategy, schedule, steps, preemptions }: Finding): string[] {
  return [
    `found ${verdictTitle(verdict)}`,
    `  schedule ${formatCount(schedule + 1)}, by ${strategy}: ${plural(steps, 'step')}, ${plural(preemptions, 'preemption')}`,
    ...detailLines(verdict.details),
  ];
}

function detailLines(details: readonly string[]): string[] {
  const shown = details.slice(0, DETAILS_MAX).map((line) => `  ${line}`);
  const rest = details.length - shown.length;
  return rest === 0 ? shown : [...shown, `  and ${plural(rest, 'line')} more, which svmsim replay prints`];
}

export function verdictTitle({ kind, invariant, message }: Verdict): string {
  return `${kind}${invariant === null ? '' : ` of ${invariant}`}: ${message}`;
}

function confidenceLines({
  coverage,
  bounds,
  isExhausted,
  tasksMax,
  choicesMax,
}: ExplorationReport): string[] {
  const lines = [coverageLine(coverage)];
  if (isExhausted)
    lines.push(
      'every schedule within the bound of the strategy was run, or one that leads to the same, with 0 for every number drawn at random',
    );
  for (const bound of bounds) lines.push(boundLine(bound));
  if (bounds.length > 0) lines.push(`(with up to ${tasksMax} tasks and ${choicesMax} choices in a run)`);
  return lines;
}

function coverageLine(coverage: Coverage): string {
  const { distinct, schedules, drawn, estimated, isAtLeast, unseen, schedulesFor99 } = coverage;
  const head = `${formatCount(distinct)} of ${formatCount(schedules)} schedules were distinct`;
  if (drawn === 0) return head;
  const isPart = drawn < schedules;
  if (!Number.isFinite(estimated))
    return `${head}; too few were drawn at random to estimate how many there are`;
  const inAll = `${formatCount(Math.round(estimated))} in all`;
  if (isAtLeast) {
    const none = isPart ? `of the ${formatCount(drawn)} drawn at random none` : 'none';
    return `${head}; ${none} came twice, so that there are at least about ${inAll}, and 99 % of them need at least about ${formatCount(schedulesFor99)} more`;
  }
  const about = isPart ? 'by those drawn at random about' : 'about';
  return `${head}; ${about} ${inAll}, the next one is new with ${(100 * unseen).toFixed(1)} %; ${formatCount(schedulesFor99)} more for 99 % of them`;
}

function boundLine(bound: DepthBound): string {
  const { depth, schedules, choices, missedAtMost } = bound;
  const needed = neededText(bound);
  if (missedAtMost > MISSED_WORTH_TELLING)
    return `a bug of depth ${depth} may well be missed: the PCT schedules of that depth are too few to tell how likely${needed}`;
  return `a bug of depth ${depth} in the first ${plural(choices, 'choice')} of a run is missed by ${formatCount(schedules)} PCT schedules of that depth with at most ${(Math.ceil(10_000 * missedAtMost) / 100).toFixed(2)} %${needed}`;
}

/** Of the bounds that people ask for, those that were not reached. */
function neededText({ missedAtMost, neededFor95, neededFor99 }: DepthBound): string {
  const wanted = [
    ['5 %', 0.05, neededFor95],
    ['1 %', 0.01, neededFor99],
  ] as const;
  const open = wanted.filter(([, missed, needed]) => missedAtMost > missed && Number.isFinite(needed));
  if (open.length === 0) return '';
  return `; ${open.map(([name, , needed]) => `at most ${name} needs ${formatCount(needed)}`).join(', ')}`;
}

function perSecond({ schedules }: ExplorationReport, wallMs: number): number {
  return wallMs === 0 ? 0 : (1000 * schedules) / wallMs;
}

export function exploreDocument(
  report: ExplorationReport,
  context: ExploreContext,
  environment: Environment,
): JsonDocument {
  const { name, bug, expected, own, seed, wallMs } = context;
  const { coverage } = report;
  return {
    svmsim: environment.svmsim,
    command: 'explore',
    scenario: name,
    executor: 'virtual',
    seed,
    ok: report.findings.length === 0 && !isTooLong(report),
    partial: report.isPartial,
    environment,
    checks: [],
    counters: {
      schedules: report.schedules,
      distinct: coverage.distinct,
      undecided: report.undecided,
      findings: report.findings.length,
    },
    bug,
    ...policyOf(own),
    steps: { min: report.stepsMin, average: report.stepsMean, max: report.stepsMax },
    strategies: report.byStrategy,
    confidence: {
      distinct: coverage.distinct,
      drawn: coverage.drawn,
      estimated: finiteOrNull(coverage.estimated),
      atLeast: coverage.isAtLeast && Number.isFinite(coverage.estimated),
      unseen: coverage.drawn === 0 ? null : coverage.unseen,
      schedulesFor99: finiteOrNull(coverage.schedulesFor99),
      exhausted: report.isExhausted,
      tasks: report.tasksMax,
      choices: report.choicesMax,
      bounds: report.bounds.map((bound) => ({
        ...bound,
        neededFor95: finiteOrNull(bound.neededFor95),
        neededFor99: finiteOrNull(bound.neededFor99),
      })),
    },
    results: report.findings.map((finding) => ({
      ...findingRecord(finding),
      ...(expected === null ? {} : { expected: isExpected(finding.verdict, expected) }),
    })),
    ...keptRecord(context),
    wallSchedulesPerSecond: perSecond(report, wallMs),
    time: { wallNs: wallMs * 1e6, simulatedNs: 0 },
  };
}

/** What became of the first failure, as it stands in a document. */
export function keptRecord({ replay, shrunk, turns }: KeptFailure): JsonObject {
  return {
    file: replay?.file ?? null,
    turns: turns === null ? null : turns.map((turn) => ({ ...turn })),
    shrunk: shrunk === null ? null : { from: { ...shrunk.from }, to: { ...shrunk.to }, cut: shrunk.isCut },
  };
}

/** As it stands in a document. */
export function findingRecord({
  verdict,
  strategy,
  schedule,
  steps,
  preemptions,
  choices,
}: Finding): JsonObject {
  return {
    kind: verdict.kind,
    invariant: verdict.invariant,
    message: verdict.message,
    details: [...verdict.details],
    strategy,
    schedule,
    steps,
    preemptions,
    choices: choices.length,
  };
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
