/** The numbers of the cost model: their keys in files, what each means, and the configuration made of them. */

import type { CostConfig } from '../simulation/simulationConfig.js';
import { bandwidth, duration, type Value } from './keys.js';

export interface CostKey {
  readonly value: Value<number>;
  readonly doc: string;
}

const COST_NS_MAX = 1e9;
const time = duration(0, COST_NS_MAX, 'nanoseconds');
const rate = bandwidth();

/** In the order in which files list them. */
export const costKeys = {
  'host-link': { value: rate, doc: 'Link between RAM and one device, each direction.' },
  'peer-link': { value: rate, doc: 'Link between two devices, each direction.' },
  vram: { value: rate, doc: "A device's own memory, for copies within it." },
  'link-latency': { value: time, doc: 'Start of one transfer over a link.' },
  'gpu-fault': {
    value: time,
    doc: 'A GPU fault, from the stalled access to its delivery and back, without the handling.',
  },
  'gpu-tlb-invalidate': { value: time, doc: 'One TLB invalidation on a device, until it is acknowledged.' },
  'gpu-pte-write': { value: time, doc: 'Writing one GPU page table entry.' },
  'gpu-access': { value: time, doc: 'One GPU access that hits the TLB.' },
  'cpu-fault': {
    value: time,
    doc: 'Entry and exit of a CPU page fault, without the migration that it may cause.',
  },
  'cpu-access': { value: time, doc: 'One CPU access that hits the TLB.' },
  'migrate-page': { value: time, doc: 'CPU work per page of a migration: isolate, unmap, replace, remap.' },
  'hmm-page': { value: time, doc: 'CPU work per page of an HMM walk, DMA mapping included.' },
  'cpu-tlb-shootdown': { value: time, doc: 'One shootdown of CPU TLBs.' },
  syscall: { value: time, doc: 'Entry and exit of a system call.' },
  message: { value: time, doc: 'One message between actors.' },
} as const satisfies Record<string, CostKey>;

export type CostKeyName = keyof typeof costKeys;

/** One thing per cost key. */
export function eachCostKey<T>(make: (key: CostKeyName) => T): Record<CostKeyName, T> {
  return {
    'host-link': make('host-link'),
    'peer-link': make('peer-link'),
    vram: make('vram'),
    'link-latency': make('link-latency'),
    'gpu-fault': make('gpu-fault'),
    'gpu-tlb-invalidate': make('gpu-tlb-invalidate'),
    'gpu-pte-write': make('gpu-pte-write'),
    'gpu-access': make('gpu-access'),
    'cpu-fault': make('cpu-fault'),
    'cpu-access': make('cpu-access'),
    'migrate-page': make('migrate-page'),
    'hmm-page': make('hmm-page'),
    'cpu-tlb-shootdown': make('cpu-tlb-shootdown'),
    syscall: make('syscall'),
    message: make('message'),
  };
}

/** The file's numbers under the names of the configuration. */
export function costConfig(preset: string, numbers: Record<CostKeyName, number>): CostConfig {
  return {
    preset,
    hostLinkGBps: numbers['host-link'],
    peerLinkGBps: numbers['peer-link'],
    vramGBps: numbers.vram,
    linkLatencyNs: numbers['link-latency'],
    gpuFaultNs: numbers['gpu-fault'],
    gpuTlbInvalidateNs: numbers['gpu-tlb-invalidate'],
    gpuPteWriteNs: numbers['gpu-pte-write'],
    gpuAccessNs: numbers['gpu-access'],
    cpuFaultNs: numbers['cpu-fault'],
    cpuAccessNs: numbers['cpu-access'],
    migratePageNs: numbers['migrate-page'],
    hmmPageNs: numbers['hmm-page'],
    cpuTlbShootdownNs: numbers['cpu-tlb-shootdown'],
    syscallNs: numbers.syscall,
    messageNs: numbers.message,
  };
}
