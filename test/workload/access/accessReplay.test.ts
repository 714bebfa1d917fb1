/** The replay of a table of accesses makes each of them once, in the window that it lies in. */

import { describe, expect, it } from 'vitest';
import { accessPlan } from '../../../src/workload/access/accessPlan.js';
import { parseAccesses } from '../../../src/workload/access/accessTrace.js';
import type { AccessesConfig } from '../../../src/workload/workloadConfig.js';
import { FlatMachine } from '../flatMachine.js';

const ROWS = 50;

/** Every third access is the CPU's, every fourth a store. */
function config(window: number): AccessesConfig {
  const rows = Array.from({ length: ROWS }, (_, i) => {
    const device = ['cpu', 'gpu0', 'gpu1'][i % 3];
    return `${i},${device},0x${(0x10000 + 0x1000 * (i % 20)).toString(16)},4,${i % 4 === 0 ? 'w' : 'r'}`;
  });
  const trace = parseAccesses(['time,device,address,size,kind', ...rows].join('\n'), 'a.csv');
  return { kind: 'accesses', name: 'accesses', trace, window };
}

describe('a replay of accesses', () => {
  it('deals each access to one window', () => {
    for (const window of [1, 3, 7, ROWS, 2 * ROWS]) {
      const plan = accessPlan(config(window));
      const rows = Array.from({ length: plan.windows }, (_, i) =>
        [-1, 0, 1].flatMap((actor) => [...plan.rowsOf(actor, i)]).sort((a, b) => a - b),
      );
      expect(rows.flat()).toEqual(Array.from({ length: ROWS }, (_, i) => i));
      for (const [i, inWindow] of rows.entries())
        expect(inWindow.every((row) => Math.floor(row / window) === i)).toBe(true);
    }
  });

  it('makes each access once, however many contexts share those of a device', () => {
    for (const contexts of [1, 3]) {
      const machine = new FlatMachine([config(7)], { contexts });
      expect(machine.finish()).toMatchObject([{ ok: true }]);
      const made = machine.progressOf(0).map(({ progress }) => progress.ghost as Record<string, number>);
      const actors = [-1, 0, 1].map((_, actor) =>
        Array.from({ length: ROWS }, (_row, i) => i).filter((i) => i % 3 === actor),
      );
      const stores = actors.map((rows) => rows.filter((i) => i % 4 === 0).length);
      expect(made.map((ghost) => ghost.stores)).toEqual(stores);
      expect(made.map((ghost) => ghost.loads)).toEqual(actors.map((rows, i) => rows.length - stores[i]));
    }
  });
});
