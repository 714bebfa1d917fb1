/** The tests of the migration benchmark as lists of flows. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { migrateTestNames, migrateTests } from '../../../src/simulation/bench/migrateTests.js';

const RAM = -1;

describe('the tests of bench migrate', () => {
  it('measure what their names say, with three devices', () => {
    const flowsOf = (name: keyof typeof migrateTests): string[] =>
      migrateTests[name]
        .groups(3)
        .map(({ flows }) => flows.map(({ source, destination }) => `${source}>${destination}`).join(' '));
    expect(flowsOf('host_to_device')).toEqual(['-1>0', '-1>1', '-1>2']);
    expect(flowsOf('device_to_host')).toEqual(['0>-1', '1>-1', '2>-1']);
    expect(flowsOf('device_to_device_peer')).toEqual(['0>1', '0>2', '1>0', '1>2', '2>0', '2>1']);
    expect(flowsOf('host_to_device_bidirectional')).toEqual(['-1>0 0>-1', '-1>1 1>-1', '-1>2 2>-1']);
    expect(flowsOf('device_to_device_peer_bidirectional')).toEqual(['0>1 1>0', '0>2 2>0', '1>2 2>1']);
    expect(flowsOf('all_to_host')).toEqual(['0>-1 1>-1 2>-1']);
    expect(flowsOf('host_to_all')).toEqual(['-1>0 -1>1 -1>2']);
    expect(flowsOf('all_to_one')).toEqual(['1>0 2>0', '0>1 2>1', '0>2 1>2']);
    expect(flowsOf('one_to_all')).toEqual(['0>1 0>2', '1>0 1>2', '2>0 2>1']);
    expect(flowsOf('all_to_all')).toEqual(['0>1 0>2 1>0 1>2 2>0 2>1']);
    expect(flowsOf('local')).toEqual(['0>0', '1>1', '2>2']);
  });

  it('count the direction of their name, and both where two devices exchange', () => {
    const counted = (name: keyof typeof migrateTests): number[] =>
      migrateTests[name].groups(2).map((g) => g.counted);
    expect(counted('host_to_device_bidirectional')).toEqual([1, 1]);
    expect(counted('device_to_device_bounce_bidirectional')).toEqual([2]);
    expect(counted('all_to_all')).toEqual([2]);
  });

  it('are of pairs together where a group may count several', () => {
    const together = migrateTestNames.filter((name) => migrateTests[name].isTogether);
    const several = migrateTestNames.filter((name) =>
      migrateTests[name].groups(3).some(({ counted }) => counted > 1),
    );
    expect(together).toEqual(several);
  });

  it('name memories that there are, never RAM twice, and have something from their least number of devices on', () => {
    fc.assert(
      fc.property(fc.constantFrom(...migrateTestNames), fc.integer({ min: 0, max: 6 }), (name, more) => {
        const { devicesMin, groups } = migrateTests[name];
        const devices = devicesMin + more;
        const all = groups(devices);
        expect(all.length).toBeGreaterThan(0);
        for (const { flows, counted } of all) {
          expect(counted).toBeGreaterThan(0);
          expect(counted).toBeLessThanOrEqual(flows.length);
          for (const { source, destination } of flows) {
            for (const memory of [source, destination]) expect(memory).toBeGreaterThanOrEqual(RAM);
            expect(Math.max(source, destination)).toBeLessThan(devices);
            expect(source === RAM && destination === RAM).toBe(false);
          }
        }
      }),
    );
  });
});
