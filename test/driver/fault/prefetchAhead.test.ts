/** What a prefetch policy gives a device after a fault: how far, where, and when it is not asked. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { stayInRam } from '../../../src/driver/placement.js';
import {
  type PrefetchPolicy,
  type PrefetchQuestion,
  prefetchAhead,
} from '../../../src/driver/prefetchPolicy.js';
import { fill, findDifference, System, type SystemOptions } from '../harness.js';

const AREA = 0x1000;

/** Eight ranges of 16 pages that the CPU has filled. */
function filled(prefetch: PrefetchPolicy, options: SystemOptions = {}): System {
  const system = new System({ ...options, prefetch });
  system.map(AREA, 128);
  expect(system.run(fill(system.cpus[0], AREA, 128, 100))).toBe(Errno.OK);
  return system;
}

/** What device 0 finds different after it accessed one range; then all that was begun has ended. */
function accessOne(system: System, at = AREA): unknown {
  const wrong = system.run(findDifference(system.context(0), at, 16, 100 + at - AREA));
  system.checkAtRest();
  return wrong;
}

function boundPages(system: System): number[] {
  const starts: number[] = [];
  for (const vm of system.coordinator.vms) {
    for (const range of vm.gpusvm.allRanges()) starts.push(range.start - AREA);
  }
  return starts;
}

describe.each(['n1', 'one-to-one'] as const)('%s: a prefetch ahead', (layout) => {
  it('brings the ranges behind that of a fault, and no more', () => {
    const system = filled(prefetchAhead(40), { layout });
    expect(accessOne(system)).toBe(null);
    expect(boundPages(system)).toEqual([0, 16, 32, 48]);
    expect([system.placesOf(AREA, 64), system.placesOf(AREA + 64, 64)]).toEqual([['vram0'], ['ram']]);
    expect(system.run(findDifference(system.cpus[0], AREA, 128, 100))).toBe(null);
    system.checkAtRest();
    system.tearDown();
  });

  it('ends with the mapping', () => {
    const system = filled(prefetchAhead(1000), { layout });
    expect(accessOne(system, AREA + 96)).toBe(null);
    expect(boundPages(system)).toEqual([96, 112]);
    system.tearDown();
  });

  it('goes where placement wants the pages', () => {
    const system = filled(prefetchAhead(32), { layout, policy: stayInRam });
    expect(accessOne(system)).toBe(null);
    expect(boundPages(system)).toEqual([0, 16, 32]);
    expect(system.placesOf(AREA, 128)).toEqual(['ram']);
    system.tearDown();
  });

  it('asks with what was served, and not at all for a fault that fails', () => {
    const asked: PrefetchQuestion[] = [];
    const pagesAhead = (question: PrefetchQuestion): number => {
      asked.push(question);
      return 0;
    };
    const system = filled({ name: 'asks', pagesAhead }, { layout });
    expect(accessOne(system, AREA + 32)).toBe(null);
    expect(asked[0]).toMatchObject({ device: 0, write: false, servedEnd: AREA + 48, areaEnd: AREA + 128 });
    const before = asked.length;
    expect(system.run(fill(system.context(0), AREA + 4096, 1, 0))).not.toBe(Errno.OK);
    expect(asked.length).toBe(before);
    expect(boundPages(system)).toEqual([32]);
    system.tearDown();
  });
});
