/** What each device did; for two runs also how the sums differ. */

import { hasPercentile } from '../../observe/tailLatency.js';
import type { DeviceTable, RunData, SummaryData } from '../html/reportData.js';
import { sumIfKnown, textIfKnown } from '../known.js';
import { formatBytes, formatCount, formatNs } from '../units.js';
import { h, note, table } from './dom.js';
import { labelOf, type Section } from './section.js';

export function deviceSection(runs: readonly RunData[]): Section {
  return {
    id: 'devices',
    title: 'Devices',
    intro: 'Faults, invalidations, migrations and copies of each device.',
    body: runs
      .flatMap((run, i) => [
        runs.length > 1 ? h('h3', {}, labelOf(runs, i)) : null,
        run.summary === null
          ? note('The trace was recorded without the result of its run, which has the counters of devices.')
          : devices(run.summary.devices, labelOf(runs, i)),
      ])
      .filter((one) => one !== null),
  };
}

function devices({ columns, rows }: DeviceTable, label: string): HTMLElement {
  const cells = (values: readonly (number | null)[]): string[] =>
    values.map((value, i) => textIfKnown(value, (known) => format(known, columns[i].unit)));
  const sums = columns.map((_, i) => sumIfKnown(rows.map(({ values }) => values[i])));
  return table(
    label === '' ? 'Per device' : `Per device, ${label.toLowerCase()}`,
    [{ title: 'Device' }, ...columns.map(({ title }) => ({ title, number: true }))],
    rows.map(({ device, values }) => [device, ...cells(values)]),
    rows.length < 2 ? null : ['all', ...cells(sums)],
  );
}

function format(value: number, unit: 'count' | 'bytes'): string {
  return unit === 'bytes' ? formatBytes(value) : formatCount(value);
}

/** Of two runs: what is not the same. */
export function changeSection(before: RunData, after: RunData): Section {
  const body =
    before.summary === null || after.summary === null
      ? [note('One of the two has no result, only a trace: nothing to compare here.')]
      : [changes(before, after, before.summary, after.summary), ...settings(before.summary, after.summary)];
  return { id: 'changes', title: 'What changed', intro: null, body };
}

interface Quantity {
  readonly name: string;
  /** Null where it is not known. */
  readonly before: number | null;
  readonly after: number | null;
  readonly format: (value: number) => string;
}

function changes(before: RunData, after: RunData, a: SummaryData, b: SummaryData): HTMLElement {
  const wallNs = (value: number): string => formatNs(value);
  const quantities: Quantity[] = [
    { name: 'took (wall)', before: a.wallNs, after: b.wallNs, format: wallNs },
    ...(a.simulatedNs > 0 && b.simulatedNs > 0
      ? [{ name: 'simulated time', before: a.simulatedNs, after: b.simulatedNs, format: formatNs }]
      : []),
    { name: 'protocol steps', before: a.steps, after: b.steps, format: formatCount },
    ...deviceQuantities(a.devices, b.devices),
    ...(before.clock === after.clock ? latencyQuantities(a, b, before.clock) : []),
  ];
  return table(
    'Figures of both runs',
    [
      { title: 'Figure' },
      { title: 'Before', number: true },
      { title: 'After', number: true },
      { title: 'Change', number: true },
    ],
    quantities.map(({ name, before: x, after: y, format: text }) => [
      name,
      textIfKnown(x, text),
      textIfKnown(y, text),
      x === null || y === null ? 'N/A' : changeText(x, y),
    ]),
  );
}

function deviceQuantities(a: DeviceTable, b: DeviceTable): Quantity[] {
  return a.columns.flatMap(({ title, unit }, i) => {
    const j = b.columns.findIndex((column) => column.title === title);
    if (j < 0) return [];
    const total = ({ rows }: DeviceTable, column: number): number | null =>
      sumIfKnown(rows.map(({ values }) => values[column]));
    return [
      {
        name: title,
        before: total(a, i),
        after: total(b, j),
        format: (value: number) => format(value, unit),
      },
    ];
  });
}

function latencyQuantities(a: SummaryData, b: SummaryData, clock: string): Quantity[] {
  return a.latencies.flatMap((one) => {
    const other = b.latencies.find(({ name }) => name === one.name);
    if (other === undefined) return [];
    const quantity = (name: string, before: number, after: number): Quantity => ({
      name: `${one.name}, ${name} (${clock})`,
      before,
      after,
      format: formatNs,
    });
    const hasP99 = [one, other].every(({ count }) => hasPercentile(count, 0.99));
    return [
      quantity('p50', one.p50Ns, other.p50Ns),
      ...(hasP99 ? [quantity('p99', one.p99Ns, other.p99Ns)] : []),
    ];
  });
}

export function changeText(before: number, after: number): string {
  if (before === after) return '=';
  if (before === 0) return 'new';
  const percent = (100 * (after - before)) / before;
  const shown = Math.abs(percent) >= 10 ? percent.toFixed(0) : percent.toFixed(1);
  return `${after > before ? '▲ +' : '▼ '}${shown}%`;
}

function settings(a: SummaryData, b: SummaryData): HTMLElement[] {
  const after = new Map(b.configuration);
  const before = new Map(a.configuration);
  const names = [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => before.get(name) !== after.get(name),
  );
  if (names.length === 0) return [note('Both runs had the same configuration.')];
  return [
    table(
      'Settings that differ',
      [{ title: 'Setting' }, { title: 'Before' }, { title: 'After' }],
      names.map((name) => [name, before.get(name) ?? '-', after.get(name) ?? '-']),
    ),
  ];
}
