/** The numbers of the cost model: their keys in files, what each means, and the configuration made of them. */

import { assert } from '../base/assert.js';
import {
  type CostConfig,
  type PeerWiring,
  peerWirings,
  type TimeCost,
} from '../simulation/simulationConfig.js';
import { bandwidth, count, duration, oneOf, orUnlimited, timeCost, type Value } from './keys.js';

/** A rate, a count or a time, a distribution of times, or a kind of wiring. */
export type CostValue = TimeCost | PeerWiring;

export interface CostKey {
  readonly value: Value<CostValue>;
  readonly doc: string;
}

const COST_NS_MAX = 1e9;
const DEVICES_PER_SWITCH_MAX = 64;
const time = timeCost(COST_NS_MAX);
const each = duration(0, COST_NS_MAX, 'nanoseconds');
const rate = bandwidth();
const limit = orUnlimited(bandwidth());

/** In the order in which files list them. */
export const costKeys = {
  peers: {
    value: oneOf(peerWirings),
    doc: 'How devices reach one another. direct: a link for each pair; switch: a port of each to one switch; pcie: over the links to the host.',
  },
  'devices-per-switch': {
    value: count(0, DEVICES_PER_SWITCH_MAX),
    doc: 'Devices below one PCIe switch, which share its uplink to the host; 0: no such switches.',
  },
  'host-link': { value: rate, doc: 'Link between RAM and one device, each direction.' },
  'host-duplex': { value: limit, doc: 'The same link, both directions together.' },
  'host-uplink': { value: limit, doc: 'Link of a PCIe switch to the host, each direction.' },
  'host-memory': { value: limit, doc: 'All transfers from and to RAM together.' },
  'peer-link': {
    value: rate,
    doc: 'Link between two devices, or of a device to the switch between them, each direction; without effect where peers is pcie.',
  },
  'peer-duplex': { value: limit, doc: 'The same link, both directions together.' },
  vram: { value: rate, doc: "A device's own memory, for copies within it." },
  'copy-engine': { value: limit, doc: 'The most that one copy engine moves, whatever the links could.' },
  'link-latency': { value: each, doc: 'Start of a transfer from or to RAM.' },
  'peer-latency': { value: each, doc: 'Start of a transfer between devices.' },
  'hop-latency': { value: each, doc: 'More for each switch on the way.' },
  'copy-setup': { value: time, doc: 'Submission of one copy, until the engine begins.' },
  'kernel-launch': { value: time, doc: 'Launch of a kernel, until its contexts run.' },
  'gpu-fault': {
    value: time,
    doc: 'A GPU fault, from the stalled access to its delivery and back, without the handling; of a batch, once.',
  },
  'gpu-fault-entry': { value: each, doc: 'More for each fault of a batch.' },
  'fault-spurious': { value: time, doc: "The driver's own work on a fault that another one has settled." },
  'fault-present': { value: time, doc: 'The same on one whose pages are mapped where they are.' },
  'fault-migrate': { value: time, doc: 'The same on one that brings pages from RAM.' },
  'fault-peer': { value: time, doc: 'The same on one that brings pages from another device.' },
  'fault-refused': { value: time, doc: 'The same on one that ends with an error.' },
  'gpu-tlb-invalidate': { value: time, doc: 'One TLB invalidation on a device, until it is acknowledged.' },
  'gpu-bind': { value: each, doc: 'One update of a GPU page table.' },
  'gpu-pte-write': { value: each, doc: 'More for each GPU page table entry that it writes.' },
  'cpu-fault': {
    value: time,
    doc: 'Entry and exit of a CPU page fault, without the migration that it may cause.',
  },
  'cpu-access': {
    value: each,
    doc: 'One CPU access that hits the TLB; those between two waits overlap, and take as long as one.',
  },
  'migrate-page': {
    value: each,
    doc: 'CPU work per page of a migration, or per large folio that moves as one: isolate, unmap, replace, remap.',
  },
  'hmm-page': {
    value: each,
    doc: 'CPU work per page-table entry of an HMM walk, DMA mapping included; a leaf of 2MiB is one, and so is a place without a page table.',
  },
  'cpu-tlb-shootdown': { value: time, doc: 'One shootdown of CPU TLBs.' },
  syscall: { value: time, doc: 'Entry and exit of a system call.' },
} as const satisfies Record<string, CostKey>;

export type CostKeyName = keyof typeof costKeys;

/** What is known of one key, whatever it holds. */
export function costKey(key: CostKeyName): CostKey {
  return costKeys[key];
}

/** One thing per cost key. */
export function eachCostKey<T>(make: (key: CostKeyName) => T): Record<CostKeyName, T> {
  return {
    peers: make('peers'),
    'devices-per-switch': make('devices-per-switch'),
    'host-link': make('host-link'),
    'host-duplex': make('host-duplex'),
    'host-uplink': make('host-uplink'),
    'host-memory': make('host-memory'),
    'peer-link': make('peer-link'),
    'peer-duplex': make('peer-duplex'),
    vram: make('vram'),
    'copy-engine': make('copy-engine'),
    'link-latency': make('link-latency'),
    'peer-latency': make('peer-latency'),
    'hop-latency': make('hop-latency'),
    'copy-setup': make('copy-setup'),
    'kernel-launch': make('kernel-launch'),
    'gpu-fault': make('gpu-fault'),
    'gpu-fault-entry': make('gpu-fault-entry'),
    'fault-spurious': make('fault-spurious'),
    'fault-present': make('fault-present'),
    'fault-migrate': make('fault-migrate'),
    'fault-peer': make('fault-peer'),
    'fault-refused': make('fault-refused'),
    'gpu-tlb-invalidate': make('gpu-tlb-invalidate'),
    'gpu-bind': make('gpu-bind'),
    'gpu-pte-write': make('gpu-pte-write'),
    'cpu-fault': make('cpu-fault'),
    'cpu-access': make('cpu-access'),
    'migrate-page': make('migrate-page'),
    'hmm-page': make('hmm-page'),
    'cpu-tlb-shootdown': make('cpu-tlb-shootdown'),
    syscall: make('syscall'),
  };
}

export const costKeyNames: readonly CostKeyName[] = Object.values(eachCostKey((key) => key));

/** All numbers of a machine. */
export type CostNumbers = Readonly<Record<CostKeyName, CostValue>>;

/** The file's numbers under the names of the configuration. */
export function costConfig(preset: string, numbers: CostNumbers): CostConfig {
  const number = (key: CostKeyName): number => {
    const value = numbers[key];
    assert(typeof value === 'number', () => `${key} is no number`);
    return value;
  };
  const timeOf = (key: CostKeyName): TimeCost => {
    const value = numbers[key];
    assert(typeof value !== 'string', () => `${key} is no time`);
    return value;
  };
  return {
    preset,
    peers: wiringOf(numbers),
    devicesPerSwitch: number('devices-per-switch'),
    hostLinkGBps: number('host-link'),
    hostDuplexGBps: number('host-duplex'),
    hostUplinkGBps: number('host-uplink'),
    hostMemoryGBps: number('host-memory'),
    peerLinkGBps: number('peer-link'),
    peerDuplexGBps: number('peer-duplex'),
    vramGBps: number('vram'),
    copyEngineGBps: number('copy-engine'),
    linkLatencyNs: number('link-latency'),
    peerLatencyNs: number('peer-latency'),
    hopLatencyNs: number('hop-latency'),
    copySetupNs: timeOf('copy-setup'),
    kernelLaunchNs: timeOf('kernel-launch'),
    gpuFaultNs: timeOf('gpu-fault'),
    gpuFaultEntryNs: number('gpu-fault-entry'),
    faultPathNs: {
      spurious: timeOf('fault-spurious'),
      present: timeOf('fault-present'),
      migrate: timeOf('fault-migrate'),
      peer: timeOf('fault-peer'),
      refused: timeOf('fault-refused'),
    },
    gpuTlbInvalidateNs: timeOf('gpu-tlb-invalidate'),
    gpuBindNs: number('gpu-bind'),
    gpuPteWriteNs: number('gpu-pte-write'),
    cpuFaultNs: timeOf('cpu-fault'),
    cpuAccessNs: number('cpu-access'),
    migratePageNs: number('migrate-page'),
    hmmPageNs: number('hmm-page'),
    cpuTlbShootdownNs: timeOf('cpu-tlb-shootdown'),
    syscallNs: timeOf('syscall'),
  };
}

function wiringOf({ peers }: CostNumbers): PeerWiring {
  const wiring = peerWirings.find((one) => one === peers);
  assert(wiring !== undefined, 'peers is no wiring');
  return wiring;
}
