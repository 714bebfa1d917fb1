/** The comparison of layouts, on counts that are the same each time; how long anything takes on this machine is not for a test to say. */

import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../../src/scenario/loadScenario.js';
import { configDir } from '../../../src/scenario/presets.js';
import { type MirrorCell, mirrorLayouts, runBenchMirror } from '../../../src/simulation/bench/mirror.js';

const config = loadScenario(`${configDir()}/bench-mirror.yaml`, { executor: 'virtual' });
const clocks = { wall: false, simulated: true };
const RANGES = 64;
const PAGES = 1024;

async function cellsOf(devices: number): Promise<Map<string, MirrorCell>> {
  const cells = await runBenchMirror(config, { deviceCounts: [devices], rounds: 3, samples: 3, clocks });
  expect(cells.every(({ verified, wall }) => verified && wall === null)).toBe(true);
  return new Map(cells.map((cell) => [`${cell.layout} ${cell.access}`, cell]));
}

describe('bench mirror', () => {
  it('counts what each layout takes for the same accesses', async () => {
    const cells = await cellsOf(3);
    const counts = mirrorLayouts.map((layout) => {
      const cell = cells.get(`${layout} shared`);
      return [
        cell?.ranges,
        cell?.notifiers,
        cell?.pagesObjects,
        cell?.callbacksPerInvalidation,
        cell?.dmaMaps,
      ];
    });
    // Three invalidations, so four times everything is mapped for each of three devices.
    const maps = 3 * 4 * PAGES;
    expect(counts).toEqual([
      [3 * RANGES, 6, 3 * RANGES, 6, maps],
      [RANGES, 2, 3 * RANGES, 2, maps],
      [RANGES, 2, 3 * RANGES, 2, maps],
    ]);
    const pages = mirrorLayouts.map((layout) => cells.get(`${layout} shared`)?.hmmPages ?? 0);
    // Each range is looked at once as it is made, and then for each fault.
    expect(pages).toEqual([(3 + 3 * 4) * PAGES, (1 + 3 * 4) * PAGES, (1 + 4) * PAGES]);
  });

  it('tells what one fault for all makes for nothing where devices share nothing', async () => {
    const cells = await cellsOf(4);
    const unused = mirrorLayouts.map((layout) => cells.get(`${layout} private`)?.dmaMapsUnused);
    expect(unused).toEqual([0, 0, 3 * 4 * PAGES]);
    const objects = mirrorLayouts.map((layout) => cells.get(`${layout} private`)?.pagesObjects);
    expect(objects).toEqual([RANGES, RANGES, 4 * RANGES]);
    expect(cells.get('n1-shared-fault private')?.metadataBytes).toBeGreaterThan(
      2 * (cells.get('n1 private')?.metadataBytes ?? 0),
    );
  });

  it('counts the same however many samples of wall time are asked for', async () => {
    const options = { deviceCounts: [1], rounds: 3, clocks };
    const few = await runBenchMirror(config, { ...options, samples: 3 });
    expect(await runBenchMirror(config, { ...options, samples: 5 })).toEqual(few);
  });

  it('ends with what it has when it is told to', async () => {
    const controller = new AbortController();
    const options = { deviceCounts: [1, 2], rounds: 3, samples: 3, clocks, signal: controller.signal };
    const cells = await runBenchMirror(config, { ...options, onCell: () => controller.abort() });
    expect(cells).toHaveLength(1);
  });
});
