/** What no single key shows: whether the values of a scenario make sense together. */

import { alignUp, PAGE_BYTES, PMD_PAGES } from '../base/units.js';
import { LIMITS } from '../simulation/simulationConfig.js';
import { invalidationCalls } from '../workload/workloadConfig.js';
import { type LoadExtras, placedLoads } from './placedLoads.js';
import type { DeviceKeyName } from './presetSchema.js';
import { formatPages, formatRoundedSize } from './quantities.js';
import type { Scenario, ScenarioEvent, ScenarioWorkload } from './schema.js';
import { workloadPages } from './workloadMemory.js';
import { firstDuplicate, type NameRequest, workloadNames } from './workloadNames.js';
import { type KeyPath, type Problem, valueAt, type YamlSource } from './yamlSource.js';

/** What `loads.verify` says of the section `invalidation`: its calls come as fast as it says itself. */
const VERIFIED: LoadExtras = { ratePerSecond: Number.POSITIVE_INFINITY, verifiesCalls: true };

/** The program that carries out the events of a scenario. */
export interface ScenarioEvents {
  readonly kind: 'events';
  readonly name: undefined;
  readonly events: readonly ScenarioEvent[];
}

/** A workload and where it stands; the sections `invalidation`, `join-leave` and `events` count as one each. */
export interface PlacedWorkload {
  readonly path: KeyPath;
  readonly workload: ScenarioWorkload | ScenarioEvents;
  /** Of those that stand under `loads`. */
  readonly load?: LoadExtras;
  /** The key that names a file which it reads; its own key `file` unless told. */
  readonly fileKey?: KeyPath;
}

export function placedWorkloads(scenario: Scenario): PlacedWorkload[] {
  const placed: PlacedWorkload[] = scenario.workloads.map((workload, i) => ({
    path: ['workloads', i],
    workload,
  }));
  if (scenario.invalidation !== undefined) {
    placed.push({
      path: ['invalidation'],
      workload: { kind: 'invalidate', name: undefined, ...scenario.invalidation },
      ...(scenario.loads?.verify === true ? { load: VERIFIED } : {}),
    });
  }
  const joinLeave = scenario['join-leave'];
  if (joinLeave !== undefined) {
    placed.push({ path: ['join-leave'], workload: { kind: 'join-leave', name: undefined, ...joinLeave } });
  }
  const { events } = scenario;
  if (events.length > 0)
    placed.push({ path: ['events'], workload: { kind: 'events', name: undefined, events } });
  return [...placed, ...placedLoads(scenario.loads)];
}

/** The workloads that have buffers, by the name that a run gives them. */
export function bufferedNames(placed: readonly PlacedWorkload[]): string[] {
  const names = workloadNames(nameRequests(placed));
  return placed.flatMap(({ workload }, i) => ((workloadPages(workload) ?? 0) > 0 ? names[i] : []));
}

export function nameRequests(placed: readonly PlacedWorkload[]): NameRequest[] {
  return placed.map(({ workload }) => ({
    given: workload.name ?? null,
    kind: workload.kind,
    threads: threadsOf(workload),
  }));
}

/** Every problem, in no order. */
export function scenarioProblems(
  scenario: Scenario,
  source: YamlSource,
  preset: Partial<Record<DeviceKeyName, number>>,
): Problem[] {
  const placed = placedWorkloads(scenario);
  return [
    ...svmProblems(scenario),
    ...faultBufferProblems(scenario, source, preset),
    ...physicalProblems(scenario, source),
    ...loadProblems(scenario, source),
    ...placed.flatMap((one) => workloadProblems(one, scenario, source)),
    ...nameProblems(placed),
    ...threadProblems(placed),
    ...bufferProblems(placed, scenario),
    ...eventProblems(placed, scenario),
  ];
}

function svmProblems({ svm, devices }: Scenario): Problem[] {
  const problems: Problem[] = [];
  const largestChunk = svm.chunks[0];
  if (svm.notifier < largestChunk) {
    problems.push({
      path: ['svm', 'notifier'],
      allowed: `a power of two that is at least the largest chunk, ${formatPages(largestChunk)}`,
    });
  }
  if (svm['preferred-device'] >= devices.count) {
    problems.push({
      path: ['svm', 'preferred-device'],
      allowed: `a device that exists: ${devices.count === 1 ? '0, the only one' : `0 to ${devices.count - 1}`}`,
    });
  }
  if (svm.links !== undefined) problems.push(...linkProblems(svm.links, svm.interconnect, devices.count));
  return problems;
}

/** Where only some devices are linked, the links are of devices that exist, and not switched off. */
function linkProblems(
  links: readonly (readonly [number, number])[],
  interconnect: Scenario['svm']['interconnect'],
  deviceCount: number,
): Problem[] {
  const path = ['svm', 'links'];
  if (interconnect === 'none') return [{ path, allowed: 'no such key with interconnect none' }];
  if (links.every((pair) => Math.max(...pair) < deviceCount)) return [];
  return [{ path, allowed: `pairs of devices that exist: 0 to ${deviceCount - 1}` }];
}

function faultBufferProblems(
  { devices }: Scenario,
  source: YamlSource,
  preset: Partial<Record<DeviceKeyName, number>>,
): Problem[] {
  const batch = devices['fault-batch'] ?? preset['fault-batch'] ?? 1;
  const buffer = devices['fault-buffer'] ?? preset['fault-buffer'] ?? Number.POSITIVE_INFINITY;
  if (batch <= buffer) return [];
  const bufferPath = ['devices', 'fault-buffer'];
  if (isGiven(source, bufferPath)) {
    return [{ path: bufferPath, allowed: `at least the fault-batch, ${batch}` }];
  }
  return [{ path: ['devices', 'fault-batch'], allowed: `at most the fault-buffer, ${buffer}` }];
}

function loadProblems({ loads, invalidation }: Scenario, source: YamlSource): Problem[] {
  if (
    loads?.verify === true &&
    invalidation === undefined &&
    !invalidationCalls.some((call) => call in loads)
  ) {
    const allowed = `a scenario that has something to verify: an invalidation, or a load of ${invalidationCalls.join(', ')}`;
    return [{ path: ['loads', 'verify'], allowed }];
  }
  const path = ['loads', 'span'];
  if (loads === undefined || loads.span <= loads.size || !isGiven(source, path)) return [];
  return [{ path, allowed: `at most the size, ${formatPages(loads.size)}` }];
}

/** Zones start at multiples of 2 MiB, and the first 2 MiB are no zone. */
function physicalProblems({ ram, devices }: Scenario, source: YamlSource): Problem[] {
  const pages = PMD_PAGES + alignUp(ram, PMD_PAGES) + devices.count * alignUp(devices.vram, PMD_PAGES);
  if (pages <= LIMITS.physicalPagesMax) return [];
  const paths = [['devices', 'vram'], ['devices', 'count'], ['ram']];
  return [
    {
      path: paths.find((path) => isGiven(source, path)) ?? ['devices'],
      found: `${formatPages(ram)} RAM and ${devices.count} x ${formatPages(devices.vram)} VRAM, ${formatRoundedSize(pages * PAGE_BYTES)} together`,
      allowed: `at most ${formatPages(LIMITS.physicalPagesMax)} of RAM and VRAM together`,
    },
  ];
}

function workloadProblems(
  { path, workload }: PlacedWorkload,
  scenario: Scenario,
  source: YamlSource,
): Problem[] {
  const problems: Problem[] = [];
  if (path[0] === 'loads' && scenario.duration === Number.POSITIVE_INFINITY) {
    return [{ path, allowed: 'a load in a scenario with a duration: loads have no end of their own' }];
  }
  const endless = endlessKeyOf(workload);
  if (endless !== null && scenario.duration === Number.POSITIVE_INFINITY) {
    problems.push({
      path: [...path, endless],
      allowed: 'a whole number, or unlimited in a scenario with a duration',
    });
  }
  if (workload.kind === 'invalidate' && workload.span > workload.size && isGiven(source, [...path, 'span'])) {
    problems.push({ path: [...path, 'span'], allowed: `at most the size, ${formatPages(workload.size)}` });
  }
  if (workload.kind === 'join-leave' && workload.stay >= scenario.devices.count) {
    const { count } = scenario.devices;
    problems.push({
      path: [...path, 'stay'],
      allowed: `fewer than the devices, ${count}: somebody has to leave`,
    });
  }
  return problems;
}

function endlessKeyOf(workload: PlacedWorkload['workload']): string | null {
  if (workload.kind === 'pattern' && workload.rounds === Number.POSITIVE_INFINITY) return 'rounds';
  const hasCalls = workload.kind === 'invalidate' || workload.kind === 'join-leave';
  if (hasCalls && workload.operations === Number.POSITIVE_INFINITY) return 'operations';
  return null;
}

/** Events are about devices and workloads that exist. */
function eventProblems(placed: readonly PlacedWorkload[], { events, devices }: Scenario): Problem[] {
  const names = bufferedNames(placed);
  const allowed =
    names.length === 0
      ? 'no such key: no workload has buffers'
      : `a workload with buffers: ${names.join(', ')}`;
  return events.flatMap((event, i) => {
    const problems: Problem[] = [];
    if (event.device >= devices.count) {
      problems.push({
        path: ['events', i, 'device'],
        allowed: `a device that exists: ${devices.count === 1 ? '0, the only one' : `0 to ${devices.count - 1}`}`,
      });
    }
    if (event.kind === 'prefetch' && event.workload !== undefined && !names.includes(event.workload)) {
      problems.push({ path: ['events', i, 'workload'], allowed });
    }
    return problems;
  });
}

function nameProblems(placed: readonly PlacedWorkload[]): Problem[] {
  const duplicate = firstDuplicate(nameRequests(placed));
  if (duplicate < 0) return [];
  return [{ path: [...placed[duplicate].path, 'name'], allowed: 'a name that no other workload has' }];
}

function threadProblems(placed: readonly PlacedWorkload[]): Problem[] {
  let threads = 0;
  for (const { path, workload } of placed) {
    threads += threadsOf(workload);
    if (threads <= LIMITS.cpuThreadsMax) continue;
    return [
      {
        path,
        found: `CPU thread number ${LIMITS.cpuThreadsMax + 1}`,
        allowed: `at most ${LIMITS.cpuThreadsMax} CPU threads in all workloads together`,
      },
    ];
  }
  return [];
}

/** Buffers must fit where their pages may be, even if every other one is in use: nothing swaps. */
function bufferProblems(placed: readonly PlacedWorkload[], scenario: Scenario): Problem[] {
  const { pages: most, name } = reachableMemory(scenario);
  let pages = 0;
  for (const { path, workload } of placed) {
    const own = (workloadPages(workload) ?? 0) * threadsOf(workload);
    pages += own;
    if (pages <= most) continue;
    const total =
      pages === own ? '' : `, ${formatRoundedSize(pages * PAGE_BYTES)} with the workloads before it`;
    return [
      {
        path,
        found: `buffers of ${formatRoundedSize(own * PAGE_BYTES)}${total}`,
        allowed: `at most ${formatRoundedSize(most * PAGE_BYTES)}, ${name}`,
      },
    ];
  }
  return [];
}

function reachableMemory({ ram, devices, svm }: Scenario): { pages: number; name: string } {
  switch (svm.placement) {
    case 'system':
      return { pages: ram, name: 'the RAM (placement system uses no VRAM)' };
    case 'preferred':
      return { pages: ram + devices.vram, name: 'the RAM and the VRAM of the preferred device together' };
    case 'migrate':
    case 'migrate-system-pages':
      return { pages: ram + devices.count * devices.vram, name: 'the RAM and VRAM together' };
  }
}

function threadsOf(workload: PlacedWorkload['workload']): number {
  return workload.kind === 'invalidate' ? workload.threads : 1;
}

function isGiven(source: YamlSource, path: KeyPath): boolean {
  return valueAt(source.value, path) !== undefined;
}
