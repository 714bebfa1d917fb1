/** What the program of the migration benchmark counts where prefetches leave something behind. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { BENCH_RAM } from '../../../src/workload/bench/migrateBench.js';
import type { HostContext } from '../../../src/workload/workload.js';
import type { MigrateBenchConfig } from '../../../src/workload/workloadConfig.js';
import { FlatMachine } from '../flatMachine.js';

const PAGES = 8;
const config: MigrateBenchConfig = {
  kind: 'migrate-bench',
  name: 'bench',
  flows: [{ source: BENCH_RAM, destination: 0 }],
  sizeBytes: 4096,
  rangePages: 1,
  depth: 1,
  regionPages: PAGES,
  warmUp: { roundsMin: 1, roundsMax: 1 },
  samples: 2,
  measuresCopy: false,
};

/** All pages are in one place or the other, but that a prefetch to a device takes `atOnce` along; `limit` of them can be there. */
class Places implements Pick<HostContext, 'prefetch' | 'residentPages'> {
  onDevice = 0;

  constructor(
    private readonly atOnce: number,
    private readonly limit: number,
  ) {}

  readonly prefetch: HostContext['prefetch'] = (_page, npages, target) => this.move(npages, target);
  readonly residentPages: HostContext['residentPages'] = (_page, npages, target) => this.look(npages, target);

  private *move(npages: number, target: number): ReturnType<HostContext['prefetch']> {
    if (target === BENCH_RAM) this.onDevice = 0;
    else this.onDevice = Math.min(npages, this.limit, this.onDevice + this.atOnce);
    return Errno.OK;
  }

  private *look(npages: number, target: number): ReturnType<HostContext['residentPages']> {
    return target === BENCH_RAM ? npages - this.onDevice : this.onDevice;
  }
}

function countsWith(placement: Places): Readonly<Record<string, number>> {
  const [{ counts, ok }] = new FlatMachine([config], { devices: 1, placement }).finish();
  expect(ok).toBe(true);
  return counts;
}

describe('the program of bench migrate', () => {
  it('asks once where everything arrives', () => {
    expect(countsWith(new Places(PAGES, PAGES))).toMatchObject({
      'flow0.0Pages': PAGES,
      asked: 0,
      stayedPages: 0,
      givenUpPages: 0,
    });
  });

  it('asks again for what stayed behind until it is there, and counts that', () => {
    expect(countsWith(new Places(3, PAGES))).toMatchObject({
      'flow0.0Pages': PAGES,
      'flow0.1Pages': PAGES,
      asked: 2 * 2,
      stayedPages: 2 * (5 + 2),
      givenUpPages: 0,
    });
  });

  it('counts what really arrived where the rest never does', () => {
    const counts = countsWith(new Places(PAGES, 6));
    expect(counts).toMatchObject({ 'flow0.0Pages': 6, 'flow0.1Pages': 6, givenUpPages: 2 * 2 });
    expect(counts.asked).toBeGreaterThan(2);
  });
});
