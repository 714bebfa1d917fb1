/** G2: a change of a GPU's mappings touches exactly the pages that it was asked for. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { DriverStep } from '../../driver/driverStep.js';
import type { DeviceVm } from '../../driver/vmBind/deviceVm.js';
import type { VaKind } from '../../driver/vmBind/driverVa.js';
import type { GemObject } from '../../drm/gpuvm/gemObject.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/** A mapping as it was: a request cuts it, but never moves what it leads to. */
interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly obj: GemObject | null;
  readonly offset: number;
  readonly kind: VaKind;
}

/**
 * Implied by the contract of drm_gpuvm_sm_map and drm_gpuvm_sm_unmap: the steps of a request unmap what overlaps it, map what it asks for, and put back
 * what sticks out on either side. Held against the mappings from before, cut by hand. After an error all are as before.
 */
class BindsCover implements Checker {
  /** By task: the mappings before its request. */
  private readonly before = new Map<number, readonly Mapping[]>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(
    task: Task | null,
    step: StepId,
    start: number,
    npages: number,
    device: number,
    errno: number,
  ): void {
    const deviceVm = task === null ? null : this.lockedBy(task, device);
    if (task === null || deviceVm === null) return;
    if (step === DriverStep.vmBind) {
      this.before.set(task.id, mappingsOf(deviceVm));
      return;
    }
    const before = this.before.get(task.id);
    this.before.delete(task.id);
    if (before === undefined) return;
    const now = mappingsOf(deviceVm);
    const end = start + npages;
    const inside = errno === 0 ? now.filter((one) => one.start < end && one.end > start) : [];
    const expected = errno === 0 ? before.flatMap((one) => around(one, start, end)) : before;
    const isWhole =
      inside.length === 0 || (inside.length === 1 && inside[0].start === start && inside[0].end === end);
    if (
      isWhole &&
      areSame(
        now.filter((one) => !inside.includes(one)),
        expected,
      )
    )
      return;
    const what = `a request for ${npages} pages at ${formatVpn(start as Vpn)}`;
    this.sink.report('G2', `${what} of gpu${device} left other mappings than it should`);
  }

  /** The address space of the device whose vm lock the task holds. */
  private lockedBy(task: Task, device: number): DeviceVm | null {
    const { vms, gpus } = this.machine.coordinator;
    const vm = vms.find(({ vmLock }) => task.held.some(({ lock }) => lock === vmLock));
    return vm?.deviceVms.get(gpus[device]) ?? null;
  }
}

function mappingsOf(deviceVm: DeviceVm): Mapping[] {
  return deviceVm.vas().map(({ start, end, obj, offset, kind }) => ({ start, end, obj, offset, kind }));
}

/** What is left of a mapping when a span is cut out. */
function around(one: Mapping, start: number, end: number): Mapping[] {
  const left = one.start < start ? [{ ...one, end: Math.min(one.end, start) }] : [];
  const from = Math.max(one.start, end);
  const right = one.end > end ? [{ ...one, start: from, offset: one.offset + from - one.start }] : [];
  return one.end <= start || one.start >= end ? [one] : [...left, ...right];
}

/** Both in order of address. A mirror leads to the same addresses wherever it is cut. */
function areSame(found: readonly Mapping[], expected: readonly Mapping[]): boolean {
  return (
    found.length === expected.length &&
    found.every(({ start, end, obj, offset, kind }, i) => {
      const other = expected[i];
      const leadsThere = kind === 'mirror' || (obj === other.obj && offset === other.offset);
      return start === other.start && end === other.end && kind === other.kind && leadsThere;
    })
  );
}

export const bindsCover: CheckerKind = {
  id: 'G2',
  title: 'a request to bind or unbind changes its own pages and no others; after an error none',
  isCheap: true,
  steps: [DriverStep.vmBind, DriverStep.vmBound],
  make: (machine, sink) => new BindsCover(machine, sink),
};
