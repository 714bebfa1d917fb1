/** Scenarios that are a little smaller than a given one: a workload, a device, pages or rounds less, a switch turned off. */

import { stringify } from 'yaml';
import type { SubjectSource } from '../../bugs/bugOverlay.js';
import { scenarioTree } from '../../scenario/loadScenario.js';
import { type PlacedWorkload, placedWorkloads } from '../../scenario/scenarioChecks.js';
import type { Scenario } from '../../scenario/schema.js';
import { isPlainMap, type KeyPath } from '../../scenario/yamlSource.js';
import { smallerNumbers } from './smallerNumbers.js';

type ScenarioSource = Extract<SubjectSource, { kind: 'scenario' }>;

/** One change of what the file says; undefined leaves the key or the item out. */
interface Edit {
  readonly path: KeyPath;
  readonly value: unknown;
}

const counts: readonly string[] = [
  'operations',
  'rounds',
  'accesses',
  'threads',
  'iterations',
  'elements',
  'samples',
  'rows',
  'columns',
  'bins',
  'at-once',
  'window',
];
/** Sections that stand for one workload each. */
const sections: ReadonlySet<KeyPath[number]> = new Set(['workloads', 'invalidation', 'join-leave']);

/** What matters most to a reader first. What options said is part of the text of each. */
export function smallerScenarios(source: ScenarioSource): SubjectSource[] {
  const { path, text, set } = source;
  const { tree, scenario } = scenarioTree(path, text, { set });
  const edits = [
    ...fewerWorkloads(scenario),
    ...smallerNumbers(scenario.devices.count, 1).map((count) => fewerDevices(scenario, count)),
    ...scenario.events.map((_, i) => [{ path: ['events', i], value: undefined }]),
    ...placedWorkloads(scenario).flatMap(smallerWorkloads),
    ...(scenario.loads === undefined ? [] : smallerBuffers(['loads'], scenario.loads)),
    ...smallerNumbers(scenario.devices.contexts, 1).map((value) => [
      { path: ['devices', 'contexts'], value },
    ]),
    ...(scenario.svm.prefetch > 0 ? [[{ path: ['svm', 'prefetch'], value: 0 }]] : []),
  ];
  return edits.map((some) => ({ ...source, text: stringify(edited(tree, some)), set: [] }));
}

/** Several at once first, with the events that are about their buffers. One stays: a scenario without any shows nothing. */
function fewerWorkloads({ events, ...scenario }: Scenario): Edit[][] {
  const placed = placedWorkloads({ events, ...scenario });
  const cut: Edit[][] = [];
  for (let size = placed.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < placed.length; at += size) {
      const out = placed.slice(at, at + size);
      const names = new Set(out.map(({ workload }) => workload.name));
      const about = events.flatMap((event, i) =>
        event.kind === 'prefetch' && event.workload !== undefined && names.has(event.workload) ? [i] : [],
      );
      const paths = [...out.map(({ path }) => path), ...about.map((i) => ['events', i])];
      // From the last one on, so that those before keep their places.
      cut.push(paths.reverse().map((path) => ({ path, value: undefined })));
    }
  }
  return cut;
}

/** With all that names a device naming one that there is. */
function fewerDevices({ svm, events, ...scenario }: Scenario, count: number): Edit[] {
  const last = count - 1;
  const stays = placedWorkloads({ svm, events, ...scenario }).flatMap(({ path, workload }) =>
    workload.kind === 'join-leave' && path[0] !== 'loads' && workload.stay > last
      ? [{ path: [...path, 'stay'], value: last }]
      : [],
  );
  const links = svm.links?.filter((pair) => Math.max(...pair) <= last);
  return [
    { path: ['devices', 'count'], value: count },
    ...(svm['preferred-device'] > last ? [{ path: ['svm', 'preferred-device'], value: last }] : []),
    ...(links === undefined ? [] : [{ path: ['svm', 'links'], value: links }]),
    ...events.flatMap(({ device }, i) =>
      device > last ? [{ path: ['events', i, 'device'], value: last }] : [],
    ),
    ...stays,
  ];
}

/** Work without an end stays so. */
function smallerWorkloads({ path, workload }: PlacedWorkload): Edit[][] {
  if (!sections.has(path[0])) return [];
  const ofCounts = Object.entries(workload).flatMap(([key, now]) =>
    counts.includes(key) && typeof now === 'number' && Number.isFinite(now)
      ? smallerNumbers(now, 1).map((value) => [{ path: [...path, key], value }])
      : [],
  );
  const ofSizes = 'size' in workload ? smallerBuffers(path, workload) : [];
  return [...ofCounts, ...ofSizes, ...smallerSwitches(path, workload)];
}

/** Pieces of a buffer fit into it. */
function smallerBuffers(path: KeyPath, { size, span }: { size: number; span?: number }): Edit[][] {
  const ofSpan = (pages: number): Edit => ({ path: [...path, 'span'], value: `${pages}pages` });
  const ofSize = smallerNumbers(size, 1).map((pages) => [
    { path: [...path, 'size'], value: `${pages}pages` },
    ...(span === undefined ? [] : [ofSpan(Math.min(span, pages))]),
  ]);
  const ofSpans =
    span === undefined ? [] : smallerNumbers(Math.min(size, span), 1).map((pages) => [ofSpan(pages)]);
  return [...ofSize, ...ofSpans];
}

function smallerSwitches(path: KeyPath, workload: PlacedWorkload['workload']): Edit[][] {
  if (workload.kind === 'pattern' && workload.cpu) return [[{ path: [...path, 'cpu'], value: false }]];
  if (workload.kind !== 'invalidate' || workload.calls.length === 1) return [];
  return workload.calls.map((_, i) => [{ path: [...path, 'calls'], value: workload.calls.toSpliced(i, 1) }]);
}

function edited(tree: unknown, edits: readonly Edit[]): unknown {
  return edits.reduce((now, { path, value }) => withValue(now, path, value), tree);
}

/** A copy; maps on the way are made where there is nothing. */
function withValue(tree: unknown, [key, ...rest]: KeyPath, value: unknown): unknown {
  if (Array.isArray(tree)) {
    const at = Number(key);
    const items: unknown[] = tree;
    return rest.length === 0 && value === undefined
      ? items.toSpliced(at, 1)
      : items.with(at, rest.length === 0 ? value : withValue(items[at], rest, value));
  }
  const map = isPlainMap(tree) ? tree : {};
  if (rest.length > 0) return { ...map, [key]: withValue(map[key], rest, value) };
  if (value !== undefined) return { ...map, [key]: value };
  return Object.fromEntries(Object.entries(map).filter(([name]) => name !== key));
}
