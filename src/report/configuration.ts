/** The settings that runs are compared by: all that decides a run beside the program itself, in the units of a scenario file. */

import { basename } from 'node:path';
import { shortHash } from '../base/shortHash.js';
import { PAGE_BYTES } from '../base/units.js';
import type { PolicyIdentity, SimulationConfig } from '../simulation/simulationConfig.js';
import type { JsonObject } from './json.js';

/** What is not told of has no key: two runs differ in it when only one has it. */
export function configurationOf(config: SimulationConfig): JsonObject {
  const { deviceCount, device, ramPages, svm, cost, thp = 'madvise', checks, durationMs, workloads } = config;
  return {
    devices: deviceCount,
    vramBytes: device.vramPages * PAGE_BYTES,
    ramBytes: ramPages * PAGE_BYTES,
    contexts: device.contexts,
    layout: svm.layout,
    placement: svm.placement,
    interconnect: typeof svm.interconnect === 'string' ? svm.interconnect : svm.interconnect.map(pairText),
    chunkBytes: svm.chunkPages.map((pages) => pages * PAGE_BYTES),
    notifierBytes: svm.notifierPages * PAGE_BYTES,
    costPreset: cost.preset,
    costHash: presetHash(config),
    ...policyOf(config),
    ...(svm.placement === 'preferred' && { preferredDevice: `gpu${svm.preferredDevice}` }),
    timesliceUs: svm.timesliceUs,
    ...(svm.atomicTimesliceNs !== undefined && { atomicTimesliceNs: svm.atomicTimesliceNs }),
    prefetchBytes: (svm.prefetchPages ?? 0) * PAGE_BYTES,
    ...(svm.togetherPages ? { prefetchTogetherBytes: svm.togetherPages * PAGE_BYTES } : {}),
    migrateBytesMin: (svm.migratePagesMin ?? 1) * PAGE_BYTES,
    thp,
    tlbEntries: device.tlbEntries,
    faultBatch: device.faultBatch,
    faultBufferEntries: device.faultBufferEntries,
    copyEngines: device.copyEngines,
    systemAtomics: device.systemAtomics ?? 'none',
    clearVram: device.clearVram ?? false,
    durationMs: Number.isFinite(durationMs) ? durationMs : null,
    checks: checks ?? 'none',
    workloads: workloads.map(workloadText),
  };
}

/** Which numbers the cost model had: the first twelve hexadecimal digits of the SHA-256 of all of them, in order of their names. */
export function presetHash({ cost }: Pick<SimulationConfig, 'cost'>): string {
  const sorted = Object.entries(cost).sort(([a], [b]) => (a < b ? -1 : 1));
  return hashOf(sorted);
}

/** `fast.mjs (my-policy), 0123456789ab`: the module of the user's own, what it has, and which text it was; null without one. */
export function policyText({
  policyFile,
  policy,
}: Pick<SimulationConfig, 'policyFile' | 'policy'>): string | null {
  if (policyFile === undefined) return null;
  const names = policy === undefined || policy.names.length === 0 ? '' : ` (${policy.names.join(', ')})`;
  return `${basename(policyFile)}${names}${policy === undefined ? '' : `, ${policy.hash}`}`;
}

/** `my-policy, 0123456789ab`: the same where the file does not count. */
export function policyTitle({ names, hash }: PolicyIdentity): string {
  return [...names, hash].join(', ');
}

/** A key of a document; none without such a module. */
export function policyOf(config: Pick<SimulationConfig, 'policyFile' | 'policy'>): JsonObject {
  const text = policyText(config);
  return text === null ? {} : { policy: text };
}

function pairText([a, b]: readonly [number, number]): string {
  return `gpu${a}-gpu${b}`;
}

/** One line: what is not a plain value, such as a recording, stands there as the hash of it. */
function workloadText({ name, kind, ...settings }: SimulationConfig['workloads'][number]): string {
  const told = Object.entries(settings).map(([key, value]) => `${key} ${valueText(value)}`);
  return [name === kind ? kind : `${name} (${kind})`, ...told].join(', ');
}

function valueText(value: unknown): string {
  if (Array.isArray(value) && value.every((one) => typeof one !== 'object')) return value.join('+');
  return typeof value === 'object' && value !== null ? hashOf(value) : String(value);
}

function hashOf(value: object): string {
  return shortHash(JSON.stringify(value));
}
