/** A fault's state from round to round: what stays once it is known, and what a new beginning takes back. */

import { expect, it } from 'vitest';
import { vpn } from '../../../src/base/units.js';
import { Location } from '../../../src/driver/attributes/location.js';
import { GpuFault } from '../../../src/driver/fault/gpuFault.js';
import { type PlacementPolicy, preferDevice, stayInRam } from '../../../src/driver/placement.js';
import { FaultKind } from '../../../src/memory/faultKind.js';
import { System } from '../harness.js';

const elsewhere = { policy: preferDevice(1), devmemOnly: false, readOnly: false };

function begun(readOnly: boolean, policy: PlacementPolicy = stayInRam): GpuFault {
  const { coordinator } = new System({ devices: 2 });
  const [gpu] = coordinator.gpus;
  const request = {
    vm: coordinator.vmOf(gpu),
    gpu,
    page: vpn(0x1000),
    write: false,
    kind: FaultKind.Demand,
    policy,
    isPrefetch: false,
    devmemOnly: false,
    readOnly,
  };
  return new GpuFault(
    request,
    { tries: 3, timesliceNs: 1000 },
    { membersOf: () => [0, 1], linked: () => true },
  );
}

it('that may only load may not store because its pages go elsewhere', () => {
  const fault = begun(true);
  fault.place(elsewhere);
  expect([fault.readOnly, fault.policy]).toEqual([true, elsewhere.policy]);
});

it('may only load from where the memory turns out to be read-only, until it begins again', () => {
  const fault = begun(false);
  fault.place(elsewhere);
  expect(fault.readOnly).toBe(false);
  fault.place({ ...elsewhere, readOnly: true });
  expect(fault.readOnly).toBe(true);
  fault.tries = 0;
  fault.beginAgain({ tries: 2, timesliceNs: 500 });
  expect([fault.readOnly, fault.tries, fault.timesliceNs]).toEqual([false, 2, 500]);
});

it('asks the policy once per round, and once more when it gets another one', () => {
  let asked = 0;
  const place = (): number => {
    asked++;
    return asked;
  };
  const fault = begun(false, { name: 'counting', onlySystemPages: false, place });
  expect([fault.wanted, fault.wanted, asked]).toEqual([1, 1, 1]);
  fault.beginRound();
  expect([fault.wanted, fault.wanted, asked]).toEqual([2, 2, 2]);
  fault.place({ ...elsewhere, policy: stayInRam });
  expect([fault.wanted, asked]).toEqual([Location.System, 2]);
});
