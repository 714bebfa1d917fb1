/** The driver's range: one part inline, and an array of all devices' parts once a second device joins. */

import { beforeEach, describe, expect, it } from 'vitest';
import { vpn } from '../../src/base/units.js';
import { Location } from '../../src/driver/attributes/location.js';
import { DriverRange, type RangeDevice, type RangeMembers } from '../../src/driver/driverRange.js';
import type { GpuHandle } from '../../src/driver/gpuHandle.js';
import {
  migrateToFaulting,
  type PlacementQuestion,
  preferDevice,
  stayInRam,
  stayWhereTheyAre,
} from '../../src/driver/placement.js';
import { GpuSvmNotifier } from '../../src/drm/gpusvm/notifier.js';
import { PagesFlag } from '../../src/drm/gpusvm/pages.js';
import { System } from './harness.js';

let system: System;
let range: DriverRange;
let members: RangeMembers;

beforeEach(() => {
  system = new System({ devices: 3 });
  const [{ gpusvm }] = system.coordinator.vms;
  const notifier = new GpuSvmNotifier(gpusvm, vpn(0), vpn(64));
  members = { gpus: system.coordinator.gpus, sharesFaults: false };
  range = new DriverRange(notifier, vpn(16), vpn(32), true, system.executor, members);
});

function addPartOf(gpu: GpuHandle): RangeDevice | null {
  range.install(range.prepare(range.gpusWith(gpu)));
  return range.find(gpu);
}

describe('the parts of a range', () => {
  it('are none at first, then one, then those of all devices, in their order', () => {
    const [first, second, third] = system.coordinator.gpus;
    expect([range.numPages, range.parts, range.find(first)]).toEqual([0, [], null]);
    const part = addPartOf(second);
    expect([range.numPages, range.find(second), range.find(first)]).toEqual([1, part, null]);
    const other = addPartOf(third);
    expect(range.parts.map(({ gpu }) => gpu)).toEqual([first, second, third]);
    expect([range.find(second), range.find(third)]).toEqual([part, other]);
    expect(range.allPages).toEqual(range.parts.map(({ pages }) => pages));
  });

  it('know when the range was unmapped before they came, also after they were made', () => {
    const [first, second] = system.coordinator.gpus;
    addPartOf(first)?.pages.markUnmapped();
    const prepared = range.prepare(range.gpusWith(second));
    range.unmapped = true;
    range.install(prepared);
    expect(range.allPages.map((pages) => pages.has(PagesFlag.Unmapped))).toEqual([true, true, true]);
  });

  it('are kept by those that stay when others go, down to one inline and none', () => {
    const [first, second, third] = system.coordinator.gpus;
    addPartOf(first);
    addPartOf(second);
    const [a, , c] = range.parts;
    range.install([a, c]);
    expect([range.numPages, range.find(second)]).toEqual([2, null]);
    range.install([c]);
    expect([range.numPages, range.find(third), range.parts]).toEqual([1, c, [c]]);
    range.install([]);
    expect([range.numPages, range.parts]).toEqual([0, []]);
  });

  it.each([
    [
      'is bound',
      (part: RangeDevice) => {
        part.bound = true;
      },
    ],
    [
      'has DMA mappings',
      (part: RangeDevice) => {
        part.pages.flags = PagesFlag.HasDmaMapping;
      },
    ],
  ])('do not go while one %s', (_, use) => {
    const part = addPartOf(system.coordinator.gpus[0]);
    if (part !== null) use(part);
    expect(() => range.install([])).toThrow('leaves a range that it uses');
  });

  it('are only those of devices that mirror the address space', () => {
    const [stranger] = new System({ devices: 1 }).coordinator.gpus;
    expect(() => range.gpusWith(stranger)).toThrow('does not mirror this address space');
  });
});

describe('placement', () => {
  it('is with the device that faults, nowhere, or with one device', () => {
    const question: PlacementQuestion = {
      device: 1,
      members: [0, 1, 2],
      process: 1,
      page: vpn(16),
      write: false,
      isPrefetch: false,
      reaches: (device) => device < 2,
    };
    const policies = [
      migrateToFaulting(false),
      migrateToFaulting(true),
      stayInRam,
      stayWhereTheyAre,
      preferDevice(0),
      preferDevice(2),
      preferDevice(7),
    ];
    expect(policies.map((policy) => policy.place(question))).toEqual([
      Location.Faulting,
      Location.Faulting,
      Location.System,
      Location.Undefined,
      0,
      Location.System,
      Location.System,
    ]);
    expect(policies.map(({ onlySystemPages }) => onlySystemPages)).toEqual([
      false,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
  });
});
