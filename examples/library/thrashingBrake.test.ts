/** What a brake on thrashing is worth, and that it costs nothing of what must hold: two devices that write to the same pages, with it and without. */

import {
  type DriverMaker,
  Errno,
  explore,
  type HostContext,
  holdPage,
  launchAll,
  mapBuffer,
  type OwnProgram,
  passed,
  type RunReport,
  type Setup,
  STEP,
  simulate,
  type Vpn,
  vpn,
} from 'svmsim';
import { describe, expect, it } from 'vitest';
import { ThrashingBrake } from './thrashingBrake.js';

const PAGES = 4;
const ROUNDS = 40;

/** Both devices add to the same words, one page after the other, again and again. */
function addsTogether(start: Vpn, rounds: number): OwnProgram {
  return {
    kernel: () =>
      function* (context) {
        for (let i = 0; i < PAGES * rounds; i++) {
          const base = yield* holdPage(context, vpn(start + (i % PAGES)), true);
          if (base < 0) return Errno.EFAULT;
          context.memory.words[base] += 1;
          context.release();
          // Another device may come now.
          yield STEP;
        }
        return Errno.OK;
      },
    *run(host: HostContext) {
      if ((yield* mapBuffer(host, start, PAGES)) !== Errno.OK) return 'no memory';
      yield* launchAll(host, 0);
      let sum = 0;
      for (let i = 0; i < PAGES; i++) {
        const base = yield* holdPage(host, vpn(start + i), false);
        sum += host.memory.words[base];
        host.release();
      }
      const wanted = host.deviceCount * PAGES * rounds;
      return sum === wanted ? null : `${sum} in place of ${wanted}`;
    },
  };
}

const settings = { changes: 3, withinNs: 5_000_000, keepNs: 300_000 };

function brakeInto(brakes: ThrashingBrake[]): DriverMaker {
  return (services) => {
    const brake = new ThrashingBrake(services, settings);
    brakes.push(brake);
    return brake;
  };
}

const setup: Setup = {
  scenario: {
    ram: '4MiB',
    devices: { count: 2, vram: '1MiB', contexts: 1 },
    svm: { chunks: ['4KiB'] },
  },
};

async function run(brakes: ThrashingBrake[] | null): Promise<RunReport> {
  const report = await simulate({
    ...setup,
    programs: { 'adds together': ({ start }) => addsTogether(start, ROUNDS) },
    ...(brakes === null ? {} : { drivers: [brakeInto(brakes)] }),
  });
  expect(report.workloads.map(({ detail, ok }) => [ok, detail])).toEqual([[true, expect.anything()]]);
  expect(passed(report)).toBe(true);
  return report;
}

describe('a brake on thrashing', () => {
  it('lets the same work be done with fewer migrations, in less time', async () => {
    const brakes: ThrashingBrake[] = [];
    const without = await run(null);
    const braked = await run(brakes);
    expect(brakes[0].held).toBeGreaterThan(0);
    expect(braked.counters.svm_pagefault_count).toBeLessThan(without.counters.svm_pagefault_count);
    expect(braked.simulatedNs).toBeLessThan(without.simulatedNs);
  });

  it('holds under schedules that try every order', { timeout: 60_000 }, async () => {
    const found = await explore(
      {
        ...setup,
        programs: { 'adds together': ({ start }) => addsTogether(start, 1) },
        drivers: [brakeInto([])],
      },
      { schedules: 40 },
    );
    expect(found.failure).toBeNull();
    expect(found.distinct).toBeGreaterThan(1);
  });
});
