/** The counters of a run in one table: what users grep for, what each means, and where it comes from. */

import { Errno, errnoName } from '../base/errno.js';
import { PAGE_BYTES } from '../base/units.js';
import type { GpuSnapshot } from '../device/gpuSnapshot.js';
import { DriverStep } from '../driver/driverStep.js';
import { GpuSvmStep } from '../drm/gpusvm/gpusvmStep.js';
import { PagemapStep } from '../drm/pagemap/pagemapStep.js';
import { MadviseStep } from '../mm/area/madvise.js';
import { MmapStep } from '../mm/area/mmap.js';
import { MprotectStep } from '../mm/area/mprotect.js';
import { MremapStep } from '../mm/area/mremap.js';
import { CowStep } from '../mm/fault/copyOnWrite.js';
import { FaultStep } from '../mm/fault/fault.js';
import { HmmStep } from '../mm/mirror/hmm.js';
import { NotifierStep, NotifyEvent, notifyEventName } from '../mm/mirror/mmuNotifier.js';
import { PortStep } from '../sim/port.js';
import { type StepField, type StepId, stepDefinition } from '../sim/steps.js';
import { deviceKey, errnoKey, errnoKeys, type Meter, Meters, rangeSizes } from './meters.js';
import type { Observation } from './observation.js';

/** Per device, or for the whole run. Names as in xe GT stats where there is one. */
export type Counters = Readonly<Record<string, number>>;

export type CounterUnit = 'count' | 'pages' | 'bytes' | 'kb' | 'us';

/** One row of the table. */
export interface CounterDefinition {
  readonly name: string;
  readonly unit: CounterUnit;
  readonly meaning: string;
  /** The step or the part of a GPU's snapshot that it is made from. */
  readonly from: string;
}

interface ObservedDeviceCounter extends CounterDefinition {
  value(observation: Observation, device: number): number;
}
interface SnapshotCounter extends CounterDefinition {
  value(snapshot: GpuSnapshot): number;
}
interface RunCounter extends CounterDefinition {
  value(observation: Observation): number;
}

function microseconds(ns: number): number {
  return Math.round(ns / 1000);
}

function metered(name: string, meter: Meter, meaning: string): ObservedDeviceCounter {
  const from = `step ${stepDefinition(meter.step).name}`;
  const value = (seen: Observation, device: number): number => seen.metered(meter, deviceKey(device));
  return { name, unit: 'count', meaning, from, value };
}

function meteredSum(name: string, unit: CounterUnit, meter: Meter, meaning: string): ObservedDeviceCounter {
  const from = `step ${stepDefinition(meter.step).name}`;
  const value = (seen: Observation, device: number): number => {
    const sum = seen.meteredSum(meter, deviceKey(device));
    if (unit === 'us') return microseconds(sum);
    return unit === 'bytes' ? sum * PAGE_BYTES : sum;
  };
  return { name, unit, meaning, from, value };
}

function bySize(suffix: string, unit: CounterUnit, meter: Meter, meaning: string): ObservedDeviceCounter[] {
  const from = `step ${stepDefinition(meter.step).name}`;
  return rangeSizes.map((size, i) => ({
    name: `svm_${size}_${suffix}`,
    unit,
    meaning: `${meaning}, ranges of ${size}`,
    from,
    value: (seen, device) => {
      const key = deviceKey(device) * rangeSizes.length + i;
      if (unit === 'us') return microseconds(seen.meteredSum(meter, key));
      // The meter sums pages.
      return unit === 'kb' ? kilobytes(seen.meteredSum(meter, key) * PAGE_BYTES) : seen.metered(meter, key);
    },
  }));
}

function pagesCopiedTo(seen: Observation, device: number): number {
  const first = deviceKey(device) * rangeSizes.length;
  return rangeSizes.reduce((sum, _, i) => sum + seen.meteredSum(Meters.deviceCopy, first + i), 0);
}

function snapshot(
  name: string,
  unit: CounterUnit,
  from: string,
  meaning: string,
  value: (snapshot: GpuSnapshot) => number,
): SnapshotCounter {
  return { name, unit, meaning, from: `device ${from}`, value };
}

function kilobytes(bytes: number): number {
  return Math.round(bytes / 1024);
}

/** Counted by the Coordinator's and the devices' steps; known at any time. */
const observedDeviceCounters: readonly ObservedDeviceCounter[] = [
  metered(
    'svm_pagefault_count',
    Meters.gpuFault,
    'GPU faults that the driver answered, those that ended with an error too',
  ),
  meteredSum('svm_pagefault_us', 'us', Meters.gpuFault, 'Time that they took'),
  metered(
    'svm_pagefault_retry_count',
    Meters.gpuFaultRetryDevice,
    'Rounds of a fault that had to begin again',
  ),
  ...bySize(
    'pagefault_count',
    'count',
    Meters.faultRange,
    'Rounds of faults that found their range, or made it',
  ),
  ...bySize(
    'valid_pagefault_count',
    'count',
    Meters.gpuFaultSpurious,
    'Faults that found the range bound already',
  ),
  ...bySize('migrate_count', 'count', Meters.toDevice, 'Migrations of a range to the device'),
  ...bySize('migrate_us', 'us', Meters.toDevice, 'Time of migrations to the device'),
  ...bySize('device_copy_kb', 'kb', Meters.deviceCopy, 'Copied to the device by migrations'),
  {
    name: 'svm_device_copy_kb',
    unit: 'kb',
    meaning: 'Copied to the device by migrations, from RAM and from other devices: the sum over all sizes',
    from: `step ${stepDefinition(Meters.deviceCopy.step).name}`,
    value: (seen, device) => kilobytes(pagesCopiedTo(seen, device) * PAGE_BYTES),
  },
  ...bySize('device_copy_us', 'us', Meters.deviceCopyTime, 'Time of these copies'),
  ...bySize('cpu_copy_kb', 'kb', Meters.cpuCopy, 'Copied from the device to RAM by migrations'),
  ...bySize('cpu_copy_us', 'us', Meters.cpuCopyTime, 'Time of these copies'),
  metered(
    'invalid_prefetch_pagefault_count',
    Meters.prefetchDropped,
    'Prefetch instructions of the GPU that asked for what it cannot have',
  ),
  metered('tlb_inval_count', Meters.anyTlbInvalidation, 'TLB invalidations of any cause'),
  metered('svm_tlb_inval_count', Meters.tlbInvalidation, 'TLB invalidations for an interval notifier'),
  meteredSum('svm_tlb_inval_us', 'us', Meters.tlbInvalidation, 'Time until the device had confirmed them'),
  metered('svm_get_pages_count', Meters.getPages, 'Mappings of a range for DMA, valid ones included'),
  metered('svm_migrate_count', Meters.toDevicePages, 'Migrations to the device, of all sizes'),
  meteredSum(
    'svm_migrate_bytes',
    'bytes',
    Meters.toDevicePages,
    'Bytes that migrated to the device, holes included, which are not copied',
  ),
  meteredSum(
    'svm_peer_migrate_bytes',
    'bytes',
    Meters.copiedPages,
    'Bytes that migrations copied from the device straight to another one',
  ),
  metered('svm_migrate_busy_count', Meters.migrateBusy, 'Migrations that met another one and waited for it'),
  metered('svm_cpu_migrate_count', Meters.cpuMigrated, 'Migrations from the device to RAM for a CPU fault'),
  metered(
    'svm_hmm_migrate_count',
    Meters.hmmMigrated,
    'Migrations from the device to RAM for an access of the kernel: in walks of hmm_range_fault, which GPU faults and ways home take, mostly',
  ),
  metered('svm_timeslice_count', Meters.timeslice, 'CPU faults that found the timeslice of a page not over'),
  metered('svm_evict_count', Meters.evicted, 'Evictions of an allocation from the device that did not fail'),
  meteredSum(
    'svm_evict_bytes',
    'bytes',
    Meters.eviction,
    'Size of the allocations to be evicted, those of failed evictions too',
  ),
];

/** From the devices' own state; known when they are asked. */
const snapshotCounters: readonly SnapshotCounter[] = [
  snapshot('svm_ram_to_device_copy_kb', 'kb', 'copies', 'Copied from RAM to the device', (s) =>
    kilobytes(s.copies.hostToDeviceBytes),
  ),
  snapshot('svm_cpu_copy_kb', 'kb', 'copies', 'Copied from the device to RAM', (s) =>
    kilobytes(s.copies.deviceToHostBytes),
  ),
  snapshot('svm_peer_copy_kb', 'kb', 'copies', 'Copied by this device over peer links', (s) =>
    kilobytes(s.copies.peerBytes),
  ),
  snapshot(
    'svm_zero_pages',
    'pages',
    'copies',
    'Pages that were filled with zeros instead of copied',
    (s) => s.copies.zeroPages,
  ),
  snapshot('svm_copy_us', 'us', 'copies', 'Modelled time of copies', (s) =>
    microseconds(s.copies.simulatedNs),
  ),
  snapshot(
    'gpu_tlb_miss_count',
    'count',
    'mmu',
    'Accesses for which the TLB had no answer',
    (s) => s.mmu.tlbMisses,
  ),
  snapshot(
    'gpu_system_access_count',
    'count',
    'mmu',
    'Accesses to pages of RAM',
    (s) => s.mmu.systemAccesses,
  ),
  snapshot(
    'gpu_vram_access_count',
    'count',
    'mmu',
    "Accesses to pages of the device's own VRAM",
    (s) => s.mmu.vramAccesses,
  ),
  snapshot(
    'gpu_peer_access_count',
    'count',
    'mmu',
    "Accesses to pages of another device's VRAM",
    (s) => s.mmu.peerAccesses,
  ),
  snapshot('gpu_fault_raised_count', 'count', 'faults', 'Accesses that faulted', (s) => s.faults.raised),
  snapshot(
    'gpu_fault_coalesced_count',
    'count',
    'faults',
    'Of these, those that joined an earlier fault',
    (s) => s.faults.coalesced,
  ),
  snapshot(
    'gpu_fault_batch_count',
    'count',
    'faults',
    'Batches of faults delivered',
    (s) => s.faults.batches,
  ),
  snapshot('gpu_bind_pages', 'pages', 'requests', 'Page-table entries written', (s) => s.requests.boundPages),
  snapshot(
    'gpu_zap_pages',
    'pages',
    'requests',
    'Valid page-table entries cleared',
    (s) => s.requests.zappedPages,
  ),
  snapshot('gpu_kernel_count', 'count', 'requests', 'Kernels run', (s) => s.requests.kernels),
  snapshot('vram_alloc_count', 'count', 'vram', 'Allocations of VRAM', (s) => s.vram.allocations),
  snapshot(
    'vram_alloc_fail_count',
    'count',
    'vram',
    'Allocations that found no room',
    (s) => s.vram.failures,
  ),
  snapshot('vram_used_pages', 'pages', 'vram', 'VRAM in use', (s) => s.vram.usedPages),
];

function counted(name: string, step: StepId, meaning: string): RunCounter {
  return {
    name,
    unit: 'count',
    meaning,
    from: `step ${stepDefinition(step).name}`,
    value: (seen) => seen.count(step),
  };
}

function summed(
  name: string,
  unit: CounterUnit,
  step: StepId,
  field: StepField,
  meaning: string,
): RunCounter {
  return {
    name,
    unit,
    meaning,
    from: `step ${stepDefinition(step).name}`,
    value: (seen) => seen.sum(step, field),
  };
}

const invalidationCounters: readonly RunCounter[] = Object.values(NotifyEvent).map((event) => ({
  name: `mmu_invalidate_${notifyEventName(event).toLowerCase()}_count`,
  unit: 'count',
  meaning: `Invalidations with event ${notifyEventName(event)}`,
  from: `step ${stepDefinition(NotifierStep.invStart).name}`,
  value: (seen) => seen.metered(Meters.invalidationStart, event),
}));

const runCounterTable: readonly RunCounter[] = [
  counted('mmu_invalidate_count', NotifierStep.invStart, 'Invalidations of a range of the address space'),
  ...invalidationCounters,
  counted('mmu_callback_count', NotifierStep.callback, 'Interval notifiers called'),
  {
    name: 'svm_pagefault_error_count',
    unit: 'count',
    meaning: 'GPU faults that ended with an error: illegal accesses, mostly',
    from: `step ${stepDefinition(DriverStep.faultDone).name}`,
    value: (seen) =>
      seen.count(DriverStep.faultDone) - seen.metered(Meters.gpuFaultErrno, errnoKey(Errno.OK)),
  },
  counted('hmm_range_fault_count', HmmStep.rangeFault, 'HMM walks: calls of hmm_range_fault'),
  summed('hmm_range_fault_pages', 'pages', HmmStep.rangeFault, 'npages', 'Pages that they were asked for'),
  counted('hmm_fault_count', HmmStep.fault, 'Faults in HMM walks: times that one had to fault pages in'),
  summed('hmm_fault_pages', 'pages', HmmStep.fault, 'npages', 'Pages that it faulted in'),
  counted('cpu_fault_count', FaultStep.cpuFault, 'Page faults of CPU threads'),
  counted(
    'cpu_device_fault_count',
    FaultStep.deviceLocked,
    'Faults, by CPU or HMM, on pages in device memory',
  ),
  counted('cpu_cow_count', CowStep.broken, 'Pages copied on write'),
  counted(
    'svm_migrate_fail_count',
    PagemapStep.toDevmemFailed,
    'Migrations to a device that came to nothing',
  ),
  {
    ...summed(
      'svm_migrate_fail_bytes',
      'bytes',
      PagemapStep.toDevmemFailed,
      'npages',
      'Size of their ranges',
    ),
    value: (seen) => seen.sum(PagemapStep.toDevmemFailed, 'npages') * PAGE_BYTES,
  },
  counted('svm_range_insert_count', GpuSvmStep.rangeInserted, 'Ranges made'),
  counted('svm_range_remove_count', GpuSvmStep.rangeRemoved, 'Ranges removed'),
  counted('svm_notifier_insert_count', GpuSvmStep.notifierInserted, 'Interval notifiers made'),
  counted(
    'svm_get_pages_retry_count',
    GpuSvmStep.getPagesRetry,
    'Mappings of a range for DMA that began again, because it had been invalidated meanwhile',
  ),
  counted('svm_dma_map_count', GpuSvmStep.mapped, 'Ranges mapped for the DMA of a device'),
  summed('svm_dma_map_pages', 'pages', GpuSvmStep.mapped, 'npages', 'Pages of these'),
  counted(
    'svm_bind_count',
    DriverStep.bound,
    'Requests to bind a range, ranges of a prefetch side by side, or a mapping made by hand in the page table of a device, those that failed too',
  ),
  counted('svm_garbage_count', DriverStep.collectGarbage, 'Runs of the garbage collector that found work'),
  counted('svm_join_count', DriverStep.joined, 'Devices that joined a running mirror of several'),
  counted('svm_leave_count', DriverStep.left, 'Devices that left one'),
  counted('mmap_count', MmapStep.mmap, 'Calls of mmap'),
  counted('munmap_count', MmapStep.munmap, 'Calls of munmap'),
  counted('brk_count', MmapStep.brk, 'Calls of brk'),
  counted('mprotect_count', MprotectStep.mprotect, 'Calls of mprotect'),
  counted('madvise_count', MadviseStep.madvise, 'Calls of madvise'),
  counted('mremap_count', MremapStep.mremap, 'Calls of mremap'),
  counted('message_count', PortStep.send, 'Requests and notices sent between actors'),
];

/** Where the numbers of one moment come from. */
export interface CounterSource {
  readonly observation: Observation;
  /** Of all devices, in their order; null while they cannot be asked: counters made from them are then left out. */
  readonly snapshots: readonly GpuSnapshot[] | null;
}

/** Every counter, for the reference. Those per device are also there for the run, as sums. */
export const counterTable: readonly (CounterDefinition & { readonly perDevice: boolean })[] = [
  ...observedDeviceCounters.map((row) => describe(row, true)),
  ...snapshotCounters.map((row) => describe(row, true)),
  ...runCounterTable.map((row) => describe(row, false)),
];

function describe(
  row: CounterDefinition,
  perDevice: boolean,
): CounterDefinition & { readonly perDevice: boolean } {
  const { name, unit, meaning, from } = row;
  return { name, unit, meaning, from, perDevice };
}

/** The counters of one device. */
export function deviceCounters(source: CounterSource, device: number): Counters {
  const counters: Record<string, number> = {};
  for (const row of observedDeviceCounters) counters[row.name] = row.value(source.observation, device);
  const taken = source.snapshots?.[device];
  if (taken !== undefined) for (const row of snapshotCounters) counters[row.name] = row.value(taken);
  return counters;
}

/** The names that {@link deviceCounter} knows. */
export const readableCounters: readonly string[] = [...observedDeviceCounters, ...runCounterTable].map(
  ({ name }) => name,
);

/** One counter that can be read at any time, of a device or else of the run; null for any other name. */
export function deviceCounter(observation: Observation, device: number, name: string): number | null {
  const own = observedDeviceCounters.find((row) => row.name === name);
  if (own !== undefined) return own.value(observation, device);
  return runCounterTable.find((row) => row.name === name)?.value(observation) ?? null;
}

/** The sums over `devices` devices, and what is counted once per run. */
export function runCounters(source: CounterSource, devices: number): Counters {
  const counters: Record<string, number> = {};
  for (let device = 0; device < devices; device++) {
    for (const [name, value] of Object.entries(deviceCounters(source, device))) {
      counters[name] = (counters[name] ?? 0) + value;
    }
  }
  for (const row of runCounterTable) counters[row.name] = row.value(source.observation);
  return counters;
}

/** Who reports an errno that leads to another attempt. */
const retrySources: readonly (readonly [string, Meter])[] = [
  ['fault', Meters.gpuFaultRetry],
  ['get_pages', Meters.getPagesRetry],
  ['hmm', Meters.hmmErrno],
  ['migrate', Meters.toDeviceErrno],
  ['migrate_to_ram', Meters.toRamErrno],
  ['evict', Meters.evictionErrno],
];

/**
 * Failed attempts by place and errno, such as `get_pages.EAGAIN`; only those that happened. One event can count in several places: a
 * migration that ends with -EBUSY also makes the fault begin again.
 */
export function retryCounters(observation: Observation): Counters {
  const counters: Record<string, number> = {};
  for (const [place, meter] of retrySources) {
    for (const { errno, key } of errnoKeys) {
      const count = observation.metered(meter, key);
      if (errno !== 0 && count > 0) counters[`${place}.${errnoName(errno).slice(1)}`] = count;
    }
  }
  return counters;
}
