/** The table that a run ends with: what every device did, what it cost, and whether everything checked holds. */

import { hasPercentile } from '../observe/tailLatency.js';
import type { Counters, DeviceReport, Latency, LoadReport, RunReport } from '../simulation/runReport.js';
import type { LayoutName } from '../simulation/simulationConfig.js';
import { type ClockName, clockOf } from './clock.js';
import type { Colors } from './colors.js';
import {
  copyColumns,
  counterSum,
  eventColumns,
  knownSum,
  migrationColumns,
  runLines,
  type ShownCounter,
  workTotals,
} from './counterNames.js';
import { sumIfKnown, textIfKnown } from './known.js';
import { type Column, left, right, textTable } from './textTable.js';
import {
  formatBandwidth,
  formatBytes,
  formatCount,
  formatNs,
  formatRate,
  perSecond,
  plural,
} from './units.js';
import { failureTitle, verdictLine, verdictOf } from './verdict.js';

export interface SummaryContext {
  readonly colors: Colors;
  readonly layout: LayoutName;
  /** The module of the user's own, in words; null without one. */
  readonly policy?: string | null;
  /** Command line that starts the same run again; shown when something is wrong. */
  readonly again: string;
}

const LABEL_WIDTH = 22;
const LINE_WIDTH = 100;
const KIB = 1024;
/** Of each list; with many actors a deadlock has hundreds. */
const FAILURE_LINES_MAX = 40;

/** Ends with a newline. */
export function summaryTable(report: RunReport, context: SummaryContext): string {
  const { colors } = context;
  const sections = [
    [heading(report, context)],
    deviceTable(report, colors),
    copyTable(report, colors),
    totals(report),
    loadTable(report, colors),
    workloadTable(report, colors),
    checkLines(report, colors),
    failureLines(report, colors),
    [...timeLines(report), verdictLine(verdictOf(report), colors), ...againLines(report, context)],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function heading(
  { scenario, devices, executor, seed }: RunReport,
  { layout, policy = null, colors }: SummaryContext,
): string {
  const module = policy === null ? '' : `, policy ${policy}`;
  return `${colors.bold(scenario)}: ${plural(devices.length, 'device')}, layout ${layout}, executor ${executor}, seed ${seed}${module}`;
}

/** What happened on each device, and the sum where there are several. */
function deviceTable({ devices, executor }: RunReport, colors: Colors): string[] {
  const clock = clockOf(executor);
  const shown = [...eventColumns, ...migrationColumns];
  const columns = [...titlesOf('Device', shown), right(`Fault p50 (${clock})`), right(`p99 (${clock})`)];
  const rows = rowsOf(devices, shown, formatCount, faultCells);
  return textTable(columns, rows, { title: colors.bold });
}

function copyTable({ devices }: RunReport, colors: Colors): string[] {
  const rows = rowsOf(devices, copyColumns, (kib) => formatBytes(kib * KIB));
  return textTable(titlesOf('Copied', copyColumns), rows, { title: colors.bold });
}

function titlesOf(first: string, shown: readonly ShownCounter[]): Column[] {
  return [left(first), ...shown.map(({ title }) => right(title))];
}

function rowsOf(
  devices: readonly DeviceReport[],
  shown: readonly ShownCounter[],
  format: (amount: number) => string,
  more: (device: DeviceReport) => string[] = () => [],
): string[][] {
  const amounts = devices.map((one) => shown.map(({ counters }) => knownSum(one.counters, counters)));
  const texts = (row: readonly (number | null)[]): string[] => row.map((one) => textIfKnown(one, format));
  const rows = devices.map((one, i) => [`gpu${one.device}`, ...texts(amounts[i]), ...more(one)]);
  if (devices.length < 2) return rows;
  const sums = shown.map((_, column) => sumIfKnown(amounts.map((row) => row[column])));
  return [...rows, ['all', ...texts(sums), ...more(devices[0]).map(() => '')]];
}

function faultCells({ faultLatency }: DeviceReport): string[] {
  if (faultLatency.count === 0) return ['-', '-'];
  return [formatNs(faultLatency.p50Ns), p99Text(faultLatency)];
}

function totals(report: RunReport): string[] {
  const clock = clockOf(report.executor);
  return [
    ...runLines.map(({ title, counters }) =>
      labelled(title, formatCount(counterSum(report.counters, counters))),
    ),
    labelled('Invalidations', invalidationsText(report, clock)),
    ...listed('Retries', retryTexts(report.retries)),
    labelled('Rates', `${ratesText(report)} (${clock})`),
  ];
}

/** What meets no notifier has nobody to wait for, and no latency. */
function invalidationsText({ counters, invalidationLatency }: RunReport, clock: ClockName): string {
  const { count } = invalidationLatency;
  const all = Math.max(count, counterSum(counters, ['mmu_invalidate_count']));
  if (all === 0) return 'none';
  if (count === 0) return `${formatCount(all)}, none of which met a notifier`;
  const which = all === count ? '' : `, ${formatCount(count)} of which met a notifier`;
  return `${formatCount(all)}${which}: ${latencyText(invalidationLatency)} (${clock})`;
}

function latencyText(latency: Latency): string {
  return `p50 ${formatNs(latency.p50Ns)}, p99 ${p99Text(latency)}, max ${formatNs(latency.maxNs)}`;
}

function p99Text({ count, p99Ns }: Latency): string {
  return textIfKnown(hasPercentile(count, 0.99) ? p99Ns : null, formatNs);
}

/** Most frequent first. */
function retryTexts(retries: Counters): string[] {
  const causes = Object.entries(retries).filter(([, count]) => count > 0);
  causes.sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return causes.map(([cause, count]) => `${cause} ${formatCount(count)}`);
}

function ratesText(report: RunReport): string {
  const { faults, migrations, toVramBytes } = workTotals(report.counters);
  const ns = report.programsNs;
  const rate = (amount: number): string => formatRate(perSecond(amount, ns));
  return `${rate(faults)} faults/s, ${rate(migrations)} migrations/s, ${formatBandwidth(perSecond(toVramBytes, ns))} to VRAM`;
}

/** One row for each class of load that came. */
function loadTable(report: RunReport, colors: Colors): string[] {
  const { loads } = report;
  if (loads.length === 0) return [];
  const clock = clockOf(report.executor);
  const ns = report.programsNs;
  const times = ['p50', 'p90', 'p99', 'p99.9', 'max'];
  const anyWanted = loads.some(({ wanted }) => wanted !== null);
  const titles = [
    'Operations',
    `Rate (${clock})`,
    ...(anyWanted ? ['asked for'] : []),
    ...times.map((time, i) => (i === 0 ? `${time} (${clock})` : time)),
  ];
  const rows = loads.map(({ load, operations, wanted, p50Ns, p90Ns, p99Ns, p999Ns, maxNs }) => [
    load,
    formatCount(operations),
    `${formatRate(perSecond(operations, ns))}/s`,
    ...(anyWanted ? [wantedText(wanted)] : []),
    formatNs(p50Ns),
    ...[p90Ns, p99Ns, p999Ns].map((ns) => textIfKnown(ns, formatNs)),
    formatNs(maxNs),
  ]);
  return textTable([left('Load'), ...titles.map(right)], rows, { title: colors.bold });
}

/** `≥`: others put it on the machine as well, as often as they can or among other things. */
function wantedText(wanted: LoadReport['wanted']): string {
  return wanted === null ? '-' : `${wanted.isLeast ? '≥ ' : ''}${formatRate(wanted.perSecond)}/s`;
}

function workloadTable({ workloads }: RunReport, colors: Colors): string[] {
  if (workloads.length === 0) return [];
  const rows = workloads.map((result) => [
    result.workload,
    resultWord(result),
    result.detail + countsText(result.counts),
  ]);
  return textTable([left('Workload'), left('Result'), left('Detail')], rows, {
    title: colors.bold,
    cell: (row, column) => (column === 1 ? paintOf(workloads[row], colors) : undefined),
  });
}

function resultWord({ ok, isEmpty }: RunReport['workloads'][number]): string {
  if (!ok) return 'WRONG';
  return isEmpty === true ? 'nothing' : 'ok';
}

function paintOf({ ok, isEmpty }: RunReport['workloads'][number], colors: Colors): (text: string) => string {
  if (!ok) return colors.red;
  return isEmpty === true ? colors.yellow : colors.green;
}

/** Devices' accesses are counted by device, so that these are the CPU thread's own. */
const countTitles: Readonly<Record<string, string>> = { stores: 'CPU stores', loads: 'CPU loads' };

function countsText(counts: Counters): string {
  const texts = Object.entries(counts).map(
    ([name, count]) => `${countTitles[name] ?? name} ${formatCount(count)}`,
  );
  return texts.length === 0 ? '' : ` (${texts.join(', ')})`;
}

/** Held checks by name, those apart that looked at nothing, violated ones with all that is known. */
function checkLines({ checks, verifications }: RunReport, colors: Colors): string[] {
  const namesOf = (empty: boolean): string[] =>
    checks.filter(({ ok, isEmpty }) => ok && (isEmpty === true) === empty).map(({ name }) => name);
  const empty = namesOf(true);
  const violated = checks.filter(({ ok }) => !ok);
  return [
    labelled('Verified', `at ${plural(verifications, 'quiescent point')}`),
    ...listed('Checks held', namesOf(false)),
    ...(empty.length === 0 ? [] : listed('Nothing to look at', empty)),
    ...violated.map(({ name, detail }) =>
      labelled(colors.red('Violated'), `${name}: ${detail}`, 'Violated'.length),
    ),
  ];
}

function failureLines({ failure }: RunReport, colors: Colors): string[] {
  if (failure === null) return [];
  return [
    `${colors.red(failureTitle(failure))}: ${failure.message}`,
    ...block('Last steps', failure.lastSteps),
    ...block('Who waits for whom', failure.waits),
  ];
}

function block(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const shown = lines.slice(0, FAILURE_LINES_MAX).map((line) => `  ${line}`);
  const rest = lines.length - shown.length;
  return [
    `${title}:`,
    ...shown,
    ...(rest === 0 ? [] : [`  and ${plural(rest, 'more line')}; all are in the JSON document`]),
  ];
}

function timeLines({ wallNs, simulatedNs, steps }: RunReport): string[] {
  const simulated = simulatedNs > 0 ? `, ${formatNs(simulatedNs)} simulated` : '';
  return [labelled('Time', `${formatNs(wallNs)} wall${simulated}; ${plural(steps, 'step')}`)];
}

function againLines(report: RunReport, { again }: SummaryContext): string[] {
  return verdictOf(report).ok ? [] : [`Again: ${again}`];
}

/** Goes on below itself where the line would be too long. */
function listed(label: string, items: readonly string[]): string[] {
  if (items.length === 0) return [labelled(label, 'none')];
  const lines: string[] = [];
  let line = '';
  items.forEach((item, i) => {
    const piece = i < items.length - 1 ? `${item},` : item;
    if (line !== '' && LABEL_WIDTH + line.length + 1 + piece.length > LINE_WIDTH) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? piece : `${line} ${piece}`;
  });
  return [...lines, line].map((part, i) => labelled(i === 0 ? label : '', part));
}

/** `width`: of the label as seen, where it holds escape codes. */
function labelled(label: string, text: string, width = label.length): string {
  return `${label}${' '.repeat(Math.max(1, LABEL_WIDTH - width))}${text}`;
}
