/** Drivers of the user's own that serve faults: who is asked, in which order, and what the device is told. */

import { describe, expect, it } from 'vitest';
import type { OwnDriver } from '../../src/actors/ownDriver.js';
import { Errno } from '../../src/base/errno.js';
import { type DriverMaker, passed, type ScenarioKeys, simulate } from '../../src/index.js';

const base: Pick<OwnDriver, 'register' | 'notifiersOf' | 'closeAll'> = {
  register() {},
  notifiersOf: () => 0,
  *closeAll() {},
};

const scenario: ScenarioKeys = {
  ram: '16MiB',
  devices: { count: 2, vram: '8MiB', contexts: 1 },
  workloads: [{ kind: 'saxpy', elements: 2048, rounds: 1 }],
};

describe('a fault of a GPU', () => {
  it('goes to each driver that serves faults, the first one outermost, and at last to the reference driver', async () => {
    const asked: string[] = [];
    const around =
      (name: string): DriverMaker =>
      () => ({
        ...base,
        *serveFault(_fault, byDefault) {
          asked.push(`${name} begins`);
          const errno = yield* byDefault();
          asked.push(`${name} ends with ${errno}`);
          return errno;
        },
      });
    const report = await simulate({ scenario, drivers: [around('a'), () => base, around('b')] });
    expect(passed(report)).toBe(true);
    expect(asked.filter((line) => line === 'a begins')).toHaveLength(report.counters.svm_pagefault_count);
    expect(asked.slice(0, 2)).toEqual(['a begins', 'b begins']);
    expect(asked).toContain('b ends with 0');
    expect(asked.at(-1)).toBe('a ends with 0');
  });

  it('is served again where a driver says so without having done anything', async () => {
    let refused = 0;
    const lazy: DriverMaker = () => ({
      ...base,
      *serveFault(_fault, byDefault) {
        if (refused++ < 3) return Errno.OK;
        return yield* byDefault();
      },
    });
    const report = await simulate({ scenario, drivers: [lazy] });
    expect(passed(report)).toBe(true);
    expect(refused).toBeGreaterThan(3);
  });

  it('ends the context with the error that the driver gives', async () => {
    const strict: DriverMaker = () => ({
      ...base,
      *serveFault() {
        return Errno.EACCES;
      },
    });
    const report = await simulate({ scenario, drivers: [strict] });
    expect(passed(report)).toBe(false);
    expect(report.workloads[0].detail).toContain('EACCES');
    expect(report.counters.svm_pagefault_count).toBe(0);
  });
});
