/** Turns a scenario file and the options typed beside it into the configuration of a run. */

import { basename, dirname, resolve } from 'node:path';
import { assert } from '../base/assert.js';
import { TASK_SIZE_PAGES, vpn } from '../base/units.js';
import { UserError } from '../base/userError.js';
import type { SimulationConfig, SvmConfig } from '../simulation/simulationConfig.js';
import { withChecks } from '../simulation/withChecks.js';
import type { AccessTrace } from '../workload/access/accessTrace.js';
import type { MmTrace } from '../workload/trace/mmTrace.js';
import { BUFFER_PAGES, bufferBase } from '../workload/workload.js';
import type { PlannedEvent, WorkloadConfig } from '../workload/workloadConfig.js';
import { checkShape } from './checkShape.js';
import { costConfig, eachCostKey } from './costKeys.js';
import { loadAccesses, loadTrace } from './loadTrace.js';
import { applyOverrides, type ScenarioOverrides } from './overrides.js';
import { type LoadExtras, shippedTrace } from './placedLoads.js';
import { eachDeviceKey } from './presetSchema.js';
import { type CostPreset, loadPreset } from './presets.js';
import { readTextFile } from './readTextFile.js';
import { nameRequests, type PlacedWorkload, placedWorkloads, scenarioProblems } from './scenarioChecks.js';
import { filesOnDisk, pathFrom, type ScenarioFiles } from './scenarioFiles.js';
import { type Scenario, type ScenarioEvent, type ScenarioWorkload, scenarioSchema } from './schema.js';
import { workloadNames } from './workloadNames.js';
import { type KeyPath, type Problem, YamlSource } from './yamlSource.js';

const SCENARIO_BYTES_MAX = 2 ** 20;
const WHAT = 'a scenario: a YAML map with keys such as devices, ram, svm and workloads';
const NANOSECONDS_PER_MILLISECOND = 1e6;
const NANOSECONDS_PER_MICROSECOND = 1e3;

/** The other files that a scenario needs. */
interface Attachments {
  readonly preset: CostPreset;
  /** By path of the workload, joined by dots. */
  readonly traces: ReadonlyMap<string, MmTrace | AccessTrace>;
}

/**
 * The result is plain data, with Infinity for what has no end, and can be cloned to a worker. Relative paths in the file start from it.
 *
 * @throws UserError for the first mistake in file order: of the file by itself, then of the options, then of both together.
 */
export function loadScenario(path: string, overrides: ScenarioOverrides = {}): SimulationConfig {
  return scenarioFromText(path, readScenarioText(path), overrides);
}

/** What {@link scenarioFromText} takes. @throws UserError */
export function readScenarioText(path: string): string {
  return readTextFile(path, WHAT, SCENARIO_BYTES_MAX);
}

/** As {@link loadScenario}, where the text is at hand; `path` names it in messages, and is where relative paths start. `files` are those that it names. */
export function scenarioFromText(
  path: string,
  text: string,
  overrides: ScenarioOverrides = {},
  files: ScenarioFiles = filesOnDisk,
): SimulationConfig {
  const { source, scenario } = sourceOf(path, text, overrides);
  const problems: Problem[] = [];
  const attachments = attach(scenario, source, files, problems);
  problems.push(...scenarioProblems(scenario, source, attachments?.preset.devices ?? {}));
  if (attachments === null || problems.length > 0) throw source.firstOf(problems);
  const config = configOf(scenario, attachments, path);
  const { checks, policy, isSetup } = overrides;
  const checked =
    checks === undefined ? config : withChecks(config, checks, isSetup ? 'setup.checks' : undefined);
  return policy === undefined ? checked : { ...checked, policyFile: resolve(policy) };
}

/** What a text says with options put over it: as keys and values that a text can be made of again, and as they are understood. @throws UserError */
export function scenarioTree(
  path: string,
  text: string,
  overrides: ScenarioOverrides,
): { readonly tree: unknown; readonly scenario: Scenario } {
  const { source, scenario } = sourceOf(path, text, overrides);
  return { tree: source.value, scenario };
}

function sourceOf(
  path: string,
  text: string,
  overrides: ScenarioOverrides,
): { readonly source: YamlSource; readonly scenario: Scenario } {
  const source = new YamlSource(path, text, WHAT);
  checkShape(source, scenarioSchema);
  applyOverrides(source, overrides);
  return { source, scenario: checkShape(source, scenarioSchema) };
}

/** Null, and one more problem, where a file is missing or malformed. */
function attach(
  scenario: Scenario,
  source: YamlSource,
  files: ScenarioFiles,
  problems: Problem[],
): Attachments | null {
  const traces = new Map<string, MmTrace | AccessTrace>();
  const presetPath = ['cost', 'preset'];
  const preset = collecting(problems, presetPath, () =>
    loadPreset(scenario.cost.preset, dirname(source.file), source.placeOf(presetPath), files),
  );
  for (const { path, workload, fileKey = [...path, 'file'] } of placedWorkloads(scenario)) {
    if (workload.kind !== 'trace' && workload.kind !== 'accesses') continue;
    const file = pathFrom(dirname(source.file), workload.file);
    const namedBy = source.placeOf(fileKey);
    // Like a preset by its name, this one is part of the program.
    const from = file === shippedTrace() ? filesOnDisk : files;
    const trace = collecting(problems, fileKey, () =>
      workload.kind === 'trace'
        ? loadTrace(file, namedBy, from)
        : loadAccesses(file, namedBy, scenario.devices.count, from),
    );
    if (trace !== null) traces.set(path.join('.'), trace);
  }
  return preset === null ? null : { preset, traces };
}

/** What a file's mistake is to the order of all mistakes: one at the key that names the file. */
function collecting<T>(problems: Problem[], path: KeyPath, load: () => T): T | null {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    problems.push({ path, allowed: error.allowed, error });
    return null;
  }
}

function configOf(scenario: Scenario, { preset, traces }: Attachments, path: string): SimulationConfig {
  const { devices, cost } = scenario;
  const own = eachDeviceKey((key) => devices[key] ?? preset.devices[key]);
  return {
    name: scenario.name ?? nameOfFile(path),
    seed: scenario.seed,
    executor: scenario.executor,
    ramPages: scenario.ram,
    thp: scenario.thp,
    deviceCount: devices.count,
    device: {
      vramPages: devices.vram,
      contexts: devices.contexts,
      tlbEntries: devices['tlb-entries'],
      faultBatch: own['fault-batch'],
      faultBufferEntries: own['fault-buffer'],
      copyEngines: own['copy-engines'],
      systemAtomics: devices['system-atomics'],
      clearVram: devices['clear-vram'],
    },
    svm: svmOf(scenario),
    cost: costConfig(
      preset.name,
      eachCostKey((key) => cost[key] ?? preset.numbers[key]),
    ),
    workloads: workloadsOf(placedWorkloads(scenario), traces),
    durationMs: scenario.duration / NANOSECONDS_PER_MILLISECOND,
  };
}

function svmOf({ svm }: Scenario): SvmConfig {
  return {
    layout: svm.layout,
    chunkPages: svm.chunks,
    notifierPages: svm.notifier,
    placement: svm.placement,
    preferredDevice: svm['preferred-device'],
    interconnect: svm.interconnect === 'peer' ? (svm.links ?? 'peer') : 'none',
    timesliceUs: svm.timeslice / NANOSECONDS_PER_MICROSECOND,
    atomicTimesliceNs: svm['atomic-timeslice'],
    migratePagesMin: svm['migrate-min'],
    prefetchPages: svm.prefetch,
    togetherPages: svm['prefetch-together'],
  };
}

function workloadsOf(placed: readonly PlacedWorkload[], traces: Attachments['traces']): WorkloadConfig[] {
  const names = workloadNames(nameRequests(placed));
  const order = names.flat();
  return placed.flatMap(({ path, workload, load }, i) =>
    names[i].map((name) =>
      workload.kind === 'events'
        ? { kind: workload.kind, name, events: plannedEvents(workload.events, order) }
        : paced(workloadOf(workload, name, traces.get(path.join('.'))), load),
    ),
  );
}

/** In order of time; those of one moment in order of the file. */
function plannedEvents(events: readonly ScenarioEvent[], names: readonly string[]): PlannedEvent[] {
  return events.map((event) => plannedEvent(event, names)).sort((a, b) => a.atNs - b.atNs);
}

function plannedEvent(event: ScenarioEvent, names: readonly string[]): PlannedEvent {
  const { at: atNs, device } = event;
  if (event.kind === 'unbind') return { kind: event.kind, atNs, device };
  const { workload } = event;
  const span =
    workload === undefined
      ? { start: vpn(0), npages: TASK_SIZE_PAGES }
      : { start: bufferBase(names.indexOf(workload)), npages: BUFFER_PAGES };
  return { kind: event.kind, atNs, ...span, target: event.to === 'ram' ? -1 : device };
}

/** What only a load says of its workload. */
function paced(workload: WorkloadConfig, load: LoadExtras | undefined): WorkloadConfig {
  if (load === undefined) return workload;
  if (workload.kind === 'trace') {
    return { ...workload, ratePerSecond: load.ratePerSecond, rounds: Number.POSITIVE_INFINITY };
  }
  return workload.kind === 'invalidate' ? { ...workload, ...load } : workload;
}

function workloadOf(
  workload: ScenarioWorkload,
  name: string,
  trace: MmTrace | AccessTrace | undefined,
): WorkloadConfig {
  switch (workload.kind) {
    case 'saxpy':
    case 'jacobi':
    case 'histogram':
      return { ...workload, name };
    case 'pattern': {
      const { kind, pattern, sharing, accesses, rounds, cpu } = workload;
      const lengths = { pages: workload.size, stridePages: workload.stride };
      return {
        kind,
        name,
        pattern,
        ...lengths,
        readRatio: workload['read-ratio'],
        sharing,
        accesses,
        rounds,
        cpu,
      };
    }
    case 'trace': {
      assert(trace !== undefined && 'events' in trace, () => `the trace of workload ${name} was not loaded`);
      const amounts = { touchPages: workload['touch-pages'], deviceAccesses: workload['device-accesses'] };
      return { kind: workload.kind, name, trace, ...amounts };
    }
    case 'accesses': {
      assert(
        trace !== undefined && 'stores' in trace,
        () => `the accesses of workload ${name} were not loaded`,
      );
      return { kind: workload.kind, name, trace, window: workload.window };
    }
    case 'join-leave': {
      const { kind, stay, operations, pause } = workload;
      const pauseUs = pause / NANOSECONDS_PER_MICROSECOND;
      return { kind, name, stay, atOnce: workload['at-once'], operations, pauseUs };
    }
    case 'invalidate': {
      const { kind, size, calls, operations } = workload;
      const spanPages = Math.min(workload.span, size);
      return {
        kind,
        name,
        pages: size,
        calls,
        spanPages,
        operations,
        pauseUs: workload.pause / NANOSECONDS_PER_MICROSECOND,
        launchAccesses: workload.accesses,
      };
    }
  }
}

/** What names may hold, of a file name without its ending. */
function nameOfFile(path: string): string {
  const stem = basename(path).replace(/\.ya?ml$/, '');
  return stem.replace(/[^A-Za-z0-9_.-]/g, '-').slice(0, 40) || 'scenario';
}
