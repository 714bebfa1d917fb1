/** What is measured of steps beyond their number: per device, per errno, per kind of event, and as latencies. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { PMD_PAGES } from '../base/units.js';
import { DeviceStep } from '../device/deviceStep.js';
import { DriverStep } from '../driver/driverStep.js';
import { GpuSvmStep } from '../drm/gpusvm/gpusvmStep.js';
import { PagemapStep } from '../drm/pagemap/pagemapStep.js';
import { HmmStep } from '../mm/mirror/hmm.js';
import { NotifierStep } from '../mm/mirror/mmuNotifier.js';
import type { StepField, StepId } from '../sim/steps.js';
import { loadClasses } from '../workload/workloadConfig.js';
import { WorkloadStep } from '../workload/workloadStep.js';
import { argumentOf } from './stepCatalog.js';

/** Devices told apart; a run has at most this many. */
export const DEVICE_KEYS = 64;
const EVENT_KEYS = 8;
const errnos = Object.values(Errno);

/** Sizes of ranges as xe's counters tell them apart; a size between two counts as the smaller. */
export const rangeSizes = ['4K', '64K', '2M'] as const;
const PAGES_64K = 16;

/** By which argument the occurrences of a step are told apart. */
export const MeterKey = { None: 0, Device: 1, Event: 2, Errno: 3, DeviceAndSize: 4, Load: 5 } as const;
export type MeterKey = (typeof MeterKey)[keyof typeof MeterKey];

/** How many cells each kind of key needs. Slot 0 of devices is "none" (-1), slot 0 of errnos is "unknown". */
const KEY_COUNTS: Readonly<Record<MeterKey, number>> = {
  [MeterKey.None]: 1,
  [MeterKey.Device]: 1 + DEVICE_KEYS,
  [MeterKey.Event]: EVENT_KEYS,
  [MeterKey.Errno]: 1 + errnos.length,
  [MeterKey.DeviceAndSize]: (1 + DEVICE_KEYS) * rangeSizes.length,
  [MeterKey.Load]: loadClasses.length,
};

const KEY_FIELDS: Readonly<Record<MeterKey, StepField | null>> = {
  [MeterKey.None]: null,
  [MeterKey.Device]: 'device',
  [MeterKey.Event]: 'event',
  [MeterKey.Errno]: 'errno',
  [MeterKey.DeviceAndSize]: 'device',
  [MeterKey.Load]: 'load',
};

/** The occurrences of one step, counted, summed and, if wanted, as a histogram. */
export interface Meter {
  readonly step: StepId;
  readonly key: MeterKey;
  /** Position of the argument that is the key; -1 without one. */
  readonly keyArg: number;
  /** Position of `npages`, for keys by size; -1 otherwise. */
  readonly sizeArg: number;
  /** Position of the argument that is summed; -1 for none. */
  readonly sumArg: number;
  /** Position of the errno of which only `OK` counts; -1 where everything does. */
  readonly okArg: number;
  /** Cells per key. */
  readonly keys: number;
  /** First of its cells, two doubles each: count and sum. */
  readonly firstCell: number;
  /** First of its histograms, one per key; -1 for none. */
  readonly firstHistogram: number;
}

interface MeterOptions {
  readonly sum?: StepField;
  /** The sum is a duration, of which a histogram is kept. */
  readonly latency?: boolean;
  /** Only what ended without an error counts. */
  readonly onlyOk?: boolean;
}

let cells = 0;
let histograms = 0;
const list: Meter[] = [];

function meter(step: StepId, key: MeterKey, options: MeterOptions = {}): Meter {
  const { sum, latency = false, onlyOk = false } = options;
  const keyField = KEY_FIELDS[key];
  const keys = KEY_COUNTS[key];
  const made: Meter = {
    step,
    key,
    keyArg: keyField === null ? -1 : required(step, keyField),
    sizeArg: key === MeterKey.DeviceAndSize ? required(step, 'npages') : -1,
    sumArg: sum === undefined ? -1 : required(step, sum),
    okArg: onlyOk ? required(step, 'errno') : -1,
    keys,
    firstCell: cells,
    firstHistogram: latency ? histograms : -1,
  };
  cells += keys;
  if (latency) histograms += keys;
  list.push(made);
  return made;
}

function required(step: StepId, field: StepField): number {
  const at = argumentOf(step, field);
  assert(at >= 0, () => `a measured step has no argument ${field}`);
  return at;
}

const { None, Device, Event, DeviceAndSize, Load } = MeterKey;
const ByErrno = MeterKey.Errno;

export const Meters = {
  gpuFault: meter(DriverStep.faultDone, Device, { sum: 'ns', latency: true }),
  gpuFaultErrno: meter(DriverStep.faultDone, ByErrno),
  gpuFaultRetry: meter(DriverStep.retry, ByErrno),
  gpuFaultRetryDevice: meter(DriverStep.retry, Device),
  gpuFaultSpurious: meter(DriverStep.spurious, DeviceAndSize),
  /** From the raising of a fault on the device to the host's answer. */
  gpuStall: meter(DeviceStep.faultServed, Device, { sum: 'ns', latency: true }),
  faultRange: meter(DriverStep.faultRange, DeviceAndSize),
  prefetchDropped: meter(DriverStep.prefetchDropped, Device),
  anyTlbInvalidation: meter(DeviceStep.tlbInvalidate, Device),
  tlbInvalidation: meter(DriverStep.tlbInvalidated, Device, { sum: 'ns', latency: true }),
  invalidation: meter(NotifierStep.invStarted, Event, { sum: 'ns', latency: true }),
  invalidationStart: meter(NotifierStep.invStart, Event, { sum: 'npages' }),
  getPages: meter(GpuSvmStep.getPagesDone, Device, { sum: 'npages' }),
  getPagesRetry: meter(GpuSvmStep.getPagesRetry, ByErrno),
  hmmErrno: meter(HmmStep.done, ByErrno),
  toDevice: meter(PagemapStep.toDevmemDone, DeviceAndSize, { sum: 'ns' }),
  toDevicePages: meter(PagemapStep.toDevmemDone, Device, { sum: 'npages' }),
  toDeviceLatency: meter(PagemapStep.toDevmemDone, None, { sum: 'ns', latency: true }),
  toDeviceErrno: meter(PagemapStep.toDevmemFailed, ByErrno),
  /** By the device that the pages came from. */
  copiedPages: meter(PagemapStep.copied, Device, { sum: 'npages' }),
  deviceCopy: meter(PagemapStep.copiedToDevice, DeviceAndSize, { sum: 'count' }),
  deviceCopyTime: meter(PagemapStep.copiedToDevice, DeviceAndSize, { sum: 'ns' }),
  cpuCopy: meter(PagemapStep.copiedToRam, DeviceAndSize, { sum: 'count' }),
  cpuCopyTime: meter(PagemapStep.copiedToRam, DeviceAndSize, { sum: 'ns' }),
  cpuMigrated: meter(PagemapStep.cpuMigrated, Device, { sum: 'npages' }),
  hmmMigrated: meter(PagemapStep.hmmMigrated, Device, { sum: 'npages' }),
  toRamErrno: meter(PagemapStep.toRamDone, ByErrno),
  toRamLatency: meter(PagemapStep.toRamDone, None, { sum: 'ns', latency: true }),
  timeslice: meter(PagemapStep.timeslice, Device),
  migrateBusy: meter(DriverStep.migrateBusy, Device),
  eviction: meter(PagemapStep.evictDone, Device, { sum: 'npages' }),
  evicted: meter(PagemapStep.evictDone, Device, { onlyOk: true }),
  evictionErrno: meter(PagemapStep.evictDone, ByErrno),
  load: meter(WorkloadStep.load, Load, { sum: 'ns', latency: true }),
  evictionLatency: meter(PagemapStep.evictDone, None, { sum: 'ns', latency: true }),
} as const;

/** All of them, in the order of their cells. */
export const allMeters: readonly Meter[] = list;
export const METER_CELLS = cells;
export const METER_HISTOGRAMS = histograms;
/** Doubles per cell: count and sum. */
export const CELL_WORDS = 2;

/** Slot of each errno by its positive number. */
const errnoSlots = new Uint8Array(128);
errnos.forEach((errno, i) => {
  errnoSlots[-errno] = i + 1;
});

export function errnoKey(errno: number): number {
  return errno <= 0 && errno > -errnoSlots.length ? errnoSlots[-errno] : 0;
}

/** The errnos that are told apart, each with its key. */
export const errnoKeys: readonly { readonly errno: Errno; readonly key: number }[] = errnos.map(
  (errno, i) => ({
    errno,
    key: i + 1,
  }),
);

/** -1, or beyond what is told apart, is slot 0. */
export function deviceKey(device: number): number {
  return device >= 0 && device < DEVICE_KEYS ? device + 1 : 0;
}

export function sizeKey(npages: number): number {
  if (npages < PAGES_64K) return 0;
  return npages < PMD_PAGES ? 1 : 2;
}

export function deviceAndSizeKey(device: number, npages: number): number {
  return deviceKey(device) * rangeSizes.length + sizeKey(npages);
}

/** The key under which a step with this first argument counts; `size` is its `npages`, for keys that need it. */
export function meterKey(key: MeterKey, value: number, size: number): number {
  switch (key) {
    case MeterKey.None:
      return 0;
    case MeterKey.Device:
      return deviceKey(value);
    case MeterKey.Event:
      return value >= 0 && value < EVENT_KEYS ? value : EVENT_KEYS - 1;
    case MeterKey.Errno:
      return errnoKey(value);
    case MeterKey.DeviceAndSize:
      return deviceAndSizeKey(value, size);
    case MeterKey.Load:
      return value >= 0 && value < loadClasses.length ? value : 0;
  }
}
