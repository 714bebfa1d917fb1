/** The migration benchmark on the modelled machine: every byte arrives, in every test; how fast is not for a test to say. */

import { beforeAll, describe, expect, it } from 'vitest';
import { loadScenario } from '../../../src/scenario/loadScenario.js';
import { configDir } from '../../../src/scenario/presets.js';
import { type MigrateCell, migrateObstacle, runBenchMigrate } from '../../../src/simulation/bench/migrate.js';
import type { MigrateTestName } from '../../../src/simulation/bench/migrateTests.js';

/** Small, so that a run takes no time. */
const set = ['ram=8MiB', 'devices.vram=4MiB'];
const config = loadScenario(`${configDir()}/bench-migrate.yaml`, { executor: 'virtual', set });
const tests: readonly MigrateTestName[] = ['host_to_device', 'device_to_device_bounce', 'all_to_all'];
const clocks = { wall: false, simulated: true };
const small = { sizeBytes: 4096, rangeBytes: 4096, storm: false, joined: false };

async function cellOf(test: MigrateTestName, changes: Partial<typeof small> = {}): Promise<MigrateCell> {
  const variants = [{ test, ...small, ...changes }];
  const [cell] = await runBenchMigrate(config, { variants, samples: 3, clocks });
  return cell;
}

let cells: Map<MigrateTestName, MigrateCell>;
beforeAll(async () => {
  const variants = tests.map((test) => ({ test, ...small }));
  const all = await runBenchMigrate(config, { variants, samples: 3, clocks });
  cells = new Map(all.map((cell) => [cell.test, cell]));
}, 180_000);

describe('bench migrate', () => {
  it.each(tests)('%s moves every byte', (test) => {
    expect(cells.get(test)).toMatchObject({ status: 'Passed', reason: '', verified: true });
    for (const { simulated, wall } of cells.get(test)?.flows ?? []) {
      expect(wall).toBeNull();
      expect(simulated?.times.every((ns) => ns > 0)).toBe(true);
    }
  });

  it('goes through RAM where it says so, and nowhere else', () => {
    const rawOverGood = (test: MigrateTestName): number => {
      const totals = cells.get(test)?.totals.simulated ?? null;
      return totals === null ? Number.NaN : totals.rawBytes / totals.goodBytes;
    };
    expect(rawOverGood('host_to_device')).toBe(1);
    expect(rawOverGood('all_to_all')).toBe(1);
    expect(rawOverGood('device_to_device_bounce')).toBe(2);
  });

  it('knows which pairs moved at the same time', () => {
    const groups = (test: MigrateTestName) => cells.get(test)?.flows.map(({ group }) => group);
    expect(groups('all_to_all')).toEqual([0, 0]);
    expect(groups('device_to_device_bounce')).toEqual([0, 1]);
  });

  it('splits the time of a migration completely', () => {
    for (const test of tests) {
      const split = cells.get(test)?.phases.simulated ?? null;
      if (split === null) throw new Error(`${test} has no split`);
      const parts = Object.values(split.phasesNs).reduce((sum, ns) => sum + ns, 0);
      expect(parts).toBeCloseTo(split.wholeNs, 3);
      expect(split.phasesNs.copy).toBeGreaterThan(0);
    }
  });

  it('moves more ranges in less time where they migrate together, and tells no phases of single faults then', async () => {
    const [alone, joined] = [
      await cellOf('host_to_device'),
      await cellOf('host_to_device', { joined: true }),
    ];
    expect(joined).toMatchObject({ status: 'Passed', verified: true, phases: { simulated: null } });
    const perNs = ({ flows: [{ simulated }] }: MigrateCell): number =>
      simulated === null ? Number.NaN : simulated.bytes[0] / simulated.times[0];
    expect(perNs(joined)).toBeGreaterThan(2 * perNs(alone));
  });

  it('joins as many pages as the scenario says', async () => {
    const blocks = await Promise.all(
      [2, 512].map(async (togetherPages) => {
        const svm = { ...config.svm, togetherPages };
        const variants = [{ test: 'host_to_device', ...small, joined: true } as const];
        const [{ flows }] = await runBenchMigrate({ ...config, svm }, { variants, samples: 3, clocks });
        return flows[0].simulated?.times[0] ?? Number.NaN;
      }),
    );
    expect(blocks[0]).toBeGreaterThan(1.2 * blocks[1]);
  });

  it('moves every byte although a storm invalidates what moves', async () => {
    const cell = await cellOf('host_to_device', { storm: true });
    expect(cell).toMatchObject({ status: 'Passed', verified: true });
    expect(cell.totals.simulated?.storms).toBeGreaterThan(0);
  });

  it('counts what arrived, and takes longer for the same bytes in a storm', async () => {
    const large = { sizeBytes: 65_536, rangeBytes: 65_536 };
    const [quiet, stormy] = [
      await cellOf('host_to_device', large),
      await cellOf('host_to_device', { ...large, storm: true }),
    ];
    const totals = stormy.totals.simulated;
    if (totals === null) throw new Error('nothing was measured');
    expect(totals).toMatchObject({ givenUpBytes: 0, goodBytes: totals.wantedBytes });
    // What arrived was copied.
    expect(totals.rawBytes).toBeGreaterThanOrEqual(totals.goodBytes);
    const perNs = ({ flows: [{ simulated }] }: MigrateCell): number =>
      simulated === null ? Number.NaN : simulated.bytes[0] / simulated.times[0];
    expect(perNs(stormy)).toBeLessThan(perNs(quiet));
  });

  it('tells waits for locks, which changes of rights hold, from what a migration does', async () => {
    const lockWait = async (storm: boolean): Promise<number | undefined> =>
      (await cellOf('device_to_device_peer', { storm })).phases.simulated?.phasesNs.lockWait;
    expect(await lockWait(false)).toBe(0);
    expect(await lockWait(true)).toBeGreaterThan(0);
  });

  it('waives what is not modelled where nothing else is asked for', async () => {
    expect(await cellOf('local')).toMatchObject({ status: 'Waived', reason: 'is not modelled' });
  });

  it('waives what the machine cannot do', async () => {
    const alone = { ...config, deviceCount: 1 };
    const variants = [{ test: 'all_to_all', ...small } as const];
    const [cell] = await runBenchMigrate(alone, { variants, samples: 3, clocks });
    expect(cell).toMatchObject({ status: 'Waived', reason: 'needs 2 devices', flows: [] });
    const whole = { ...small, sizeBytes: config.device.vramPages * 4096 };
    expect(migrateObstacle(config, { test: 'host_to_device', ...whole })).toBeNull();
    expect(migrateObstacle(config, { test: 'host_to_device_bidirectional', ...whole })).toContain(
      'needs more memory',
    );
  });

  it('ends with what it has when it is told to', async () => {
    const controller = new AbortController();
    const variants = [small, { ...small, sizeBytes: 4096 }].map((one) => ({
      test: 'local' as const,
      ...one,
    }));
    const options = { variants, samples: 3, clocks, signal: controller.signal };
    const done = await runBenchMigrate(config, { ...options, onCell: () => controller.abort() });
    expect(done).toHaveLength(1);
  });
});
