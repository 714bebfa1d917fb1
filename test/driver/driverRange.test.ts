/** The driver's range: one part inline, and an array of all devices' parts once a second device joins. */

import { beforeEach, describe, expect, it } from 'vitest';
import { vpn } from '../../src/base/units.js';
import { DriverRange } from '../../src/driver/driverRange.js';
import { migrateToFaulting, preferDevice, stayInRam } from '../../src/driver/placement.js';
import { GpuSvmNotifier } from '../../src/drm/gpusvm/notifier.js';
import { PagesFlag } from '../../src/drm/gpusvm/pages.js';
import { System } from './harness.js';

let system: System;
let range: DriverRange;

beforeEach(() => {
  system = new System({ devices: 3 });
  const [{ gpusvm }] = system.coordinator.vms;
  const notifier = new GpuSvmNotifier(gpusvm, vpn(0), vpn(64), gpusvm);
  range = new DriverRange(notifier, vpn(16), vpn(32), true, system.executor, system.coordinator.gpus);
});

describe('the parts of a range', () => {
  it('are none at first, then one, then those of all devices, in their order', () => {
    const [first, second, third] = system.coordinator.gpus;
    expect([range.numPages, range.parts, range.find(first)]).toEqual([0, [], null]);
    const part = range.grow(second);
    expect([range.numPages, range.find(second), range.find(first)]).toEqual([1, part, null]);
    const other = range.grow(third);
    expect(range.parts.map(({ gpu }) => gpu)).toEqual([first, second, third]);
    expect([range.find(second), range.find(third)]).toEqual([part, other]);
    expect(range.allPages).toEqual(range.parts.map(({ pages }) => pages));
  });

  it('know when the range was unmapped before they came', () => {
    const [first, second] = system.coordinator.gpus;
    range.grow(first).pages.markUnmapped();
    range.unmapped = true;
    range.grow(second);
    expect(range.allPages.map((pages) => pages.has(PagesFlag.Unmapped))).toEqual([true, true, true]);
  });

  it('are made once for each device, and only for those of the mirror', () => {
    const [first] = system.coordinator.gpus;
    range.grow(first);
    expect(() => range.grow(first)).toThrow('has a part of the range already');
    const stranger = new System({ devices: 1 }).coordinator.gpus[0];
    expect(() => range.grow(stranger)).toThrow('does not mirror this address space');
  });
});

describe('placement', () => {
  it('is with the device that faults, nowhere, or with one device', () => {
    const [vm] = system.coordinator.vms;
    const [, gpu, third] = vm.gpus;
    const policies = [
      migrateToFaulting(false),
      migrateToFaulting(true),
      stayInRam,
      preferDevice(2),
      preferDevice(7),
    ];
    expect(policies.map((policy) => policy.target({ gpu, vm }))).toEqual([gpu, gpu, null, third, null]);
    expect(policies.map(({ onlySystemPages }) => onlySystemPages)).toEqual([
      false,
      true,
      false,
      false,
      false,
    ]);
  });
});
