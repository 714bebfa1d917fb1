/** Prefetches: what gets where it is asked for, with and without ranges, what is bound then, and what an error on the way leaves. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { fill, findDifference, System, type SystemOptions, store } from '../harness.js';

const AREA = 0x1000;
const RAM = -1;
const layouts = ['n1', 'one-to-one'] as const;

/** 32 pages that the CPU has filled: page i holds `100 + i`. */
function filled(options: SystemOptions = {}): System {
  const system = new System(options);
  system.map(AREA, 32);
  expect(system.run(fill(system.cpus[0], AREA, 32, 100))).toBe(Errno.OK);
  return system;
}

function prefetch(system: System, target: number, first = 0, npages = 32): Errno {
  return system.run(system.cpus[0].prefetch(vpn(AREA + first), npages, target, 1));
}

function finish(system: System): void {
  system.checkAtRest();
  system.tearDown();
}

describe.each(layouts)('%s: a prefetch of the process to RAM', (layout) => {
  it('brings home what a range has left in device memory when part of it was unmapped', () => {
    const system = filled({ layout });
    expect(system.run(store(system.context(0), AREA, 100))).toBe(Errno.OK);
    expect(system.run(system.cpus[0].munmap(vpn(AREA), 4))).toBe(Errno.OK);
    expect([system.rangeAt(AREA + 4), system.placesOf(AREA + 4, 12)]).toEqual([null, ['vram0']]);
    expect(prefetch(system, RAM)).toBe(Errno.OK);
    expect(system.placesOf(AREA + 4, 28)).toEqual(['ram']);
    expect(system.run(findDifference(system.cpus[0], AREA + 4, 28, 104))).toBe(null);
    finish(system);
  });

  it('makes no range for what is there already', () => {
    const system = filled({ layout });
    expect(prefetch(system, RAM)).toBe(Errno.OK);
    expect([...system.coordinator.vms[0].gpusvm.allRanges()]).toEqual([]);
    finish(system);
  });
});
