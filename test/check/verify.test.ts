/** Every rule holds at rest after any mix of accesses, migrations and system calls, and nothing is left after the end. */

import { describe, expect, it } from 'vitest';
import { restRules } from '../../src/check/restRules.js';
import { migrateToFaulting, preferDevice, stayInRam } from '../../src/driver/placement.js';
import { BUFFER, failed, type MachineOptions, TestMachine } from './harness.js';
import { Stress } from './stress.js';

const machines: readonly (readonly [string, MachineOptions])[] = [
  ['one device', { devices: 1, cpus: 2 }],
  ['three devices that mirror N:1', { devices: 3, vramPages: 48 }],
  ['three devices with a mirror each', { devices: 3, layout: 'one-to-one', vramPages: 48 }],
  ['devices that do not reach one another', { devices: 2, interconnect: 'none' }],
  ['VRAM so small that it is evicted', { devices: 2, vramPages: 16 }],
  ['pages that stay where another device has them', { devices: 2, policy: migrateToFaulting(true) }],
  ['pages that stay in RAM', { devices: 2, policy: stayInRam, notifierPages: 64 }],
  ['pages that go to one device', { devices: 2, policy: preferDevice(1) }],
  ['a timeslice', { devices: 2, timesliceNs: 5000 }],
];

describe('verify', () => {
  it.each(machines)('holds under stress, with %s', (_name, options) => {
    const machine = new TestMachine({ ...options, seed: 42 });
    const stress = new Stress(machine, 30, 42);
    stress.run();
    expect(machine.verify({ expectations: stress.expectations() }).filter(({ ok }) => !ok)).toEqual([]);
    expect(machine.tearDown().filter(({ ok }) => !ok)).toEqual([]);
  });

  it('holds on a machine that has done nothing, and says that it looked at nothing', () => {
    const machine = new TestMachine();
    const results = machine.verify();
    expect(failed(results)).toEqual([]);
    expect(results.find(({ name }) => name === 'content')?.detail).toBe('0 populated pages');
    expect(failed(machine.tearDown())).toEqual([]);
  });

  it('looks at all invariants that are said to be looked at whenever all is at rest', () => {
    const machine = new TestMachine();
    const results = [...machine.verify({ expectations: [] }), ...machine.tearDown()];
    const ids = results.map(({ name }) => name).filter((name) => /^[A-Z]\d+$/.test(name));
    expect(new Set(ids)).toEqual(new Set(restRules));
  });

  it('changes nothing', () => {
    const machine = new TestMachine();
    machine.run(machine.map(16));
    machine.run(machine.store(machine.gpu(0), BUFFER, 16, 5));
    const first = machine.verify();
    expect(machine.verify()).toEqual(first);
    machine.run(machine.load(machine.gpu(1), BUFFER, 16));
    expect(failed(machine.verify())).toEqual([]);
  });
});
