/** Advice on managed memory: an attribute is reported only where every page of the span has it. */

import { beforeEach, describe, expect, it } from 'vitest';
import { RangeMap } from '../../../src/base/rangeMap.js';
import { vpn } from '../../../src/base/units.js';
import { devicesIn, firstDevices } from '../../../src/driver/attributes/deviceMask.js';
import { Location } from '../../../src/driver/attributes/location.js';
import { Advice, ApiCode, ManagedMemory } from '../../../src/driver/attributes/managedMemory.js';
import {
  defaultAttributes,
  type SvmAttributes,
  sameAttributes,
} from '../../../src/driver/attributes/svmAttributes.js';

let map: RangeMap<SvmAttributes>;
let memory: ManagedMemory;
const advise = (start: number, end: number, advice: Advice, place: number): ApiCode =>
  memory.advise(vpn(start), vpn(end), advice, place);
const report = (start: number, end: number): ReturnType<ManagedMemory['report']> =>
  memory.report(vpn(start), vpn(end));

beforeEach(() => {
  map = new RangeMap(sameAttributes);
  memory = new ManagedMemory(map, 2, () => defaultAttributes(firstDevices(2)));
});

describe('a report', () => {
  it('of untouched memory names no place and no device', () => {
    expect(report(0, 2)).toEqual({
      readMostly: false,
      preferred: Location.Undefined,
      prefetched: Location.Undefined,
      accessedBy: 0n,
      accessedByCpu: false,
    });
  });

  it('has only what is true of every page', () => {
    advise(0, 1, Advice.SetReadMostly, 0);
    advise(0, 1, Advice.SetPreferredLocation, 1);
    advise(0, 1, Advice.SetAccessedBy, Location.System);
    advise(0, 1, Advice.SetAccessedBy, 0);
    const both = report(0, 2);
    expect([both.readMostly, both.preferred, both.accessedByCpu]).toEqual([false, Location.Undefined, false]);
    const first = report(0, 1);
    expect([first.readMostly, first.preferred, first.accessedByCpu]).toEqual([true, 1, true]);
    expect(devicesIn(first.accessedBy)).toEqual([0]);
  });

  it('keeps advice when the memory is prefetched elsewhere', () => {
    advise(0, 2, Advice.SetPreferredLocation, 0);
    memory.prefetched(vpn(0), vpn(2), 1);
    expect(report(0, 2)).toMatchObject({ preferred: 0, prefetched: 1 });
    memory.prefetched(vpn(0), vpn(1), Location.System);
    expect(report(0, 2).prefetched).toBe(Location.Undefined);
  });
});

describe('advice', () => {
  it('is taken back by its opposite, after which the memory is as before', () => {
    const before = report(0, 2);
    for (const set of [Advice.SetReadMostly, Advice.SetPreferredLocation, Advice.SetAccessedBy]) {
      advise(0, 2, set, 0);
      expect(report(0, 2)).not.toEqual(before);
      advise(0, 2, (set + 1) as Advice, 0);
      expect(report(0, 2)).toEqual(before);
    }
    expect([...map]).toHaveLength(1);
    expect(map.get(0)).toEqual(defaultAttributes(firstDevices(2)));
  });

  it('for a device that does not exist is refused', () => {
    expect(advise(0, 2, Advice.SetAccessedBy, 2)).toBe(ApiCode.InvalidDevice);
    expect(map.size).toBe(0);
  });
});
