/** The figures of benchmarks are in the units that their metrics name. */

import { expect, it } from 'vitest';
import { calibrateReport } from '../../../src/report/bench/calibrate.js';
import { engineReport } from '../../../src/report/bench/engine.js';
import { faultReport } from '../../../src/report/bench/fault.js';
import { noColors } from '../../../src/report/colors.js';
import { blocksAsText } from '../../../src/report/reportBlock.js';
import { calibrateCell, engineCell, faultCell } from '../../cli/fakeHost.js';
import { simulationConfig } from '../fixtures.js';

it('faults are per second, on each clock and under virtual, and their latency is in nanoseconds', () => {
  expect(faultReport.measured(faultCell()).samples).toEqual({
    rate: [expect.closeTo(1e12 / 9e6), 1e5, expect.closeTo(1e12 / 11e6)],
    p50: [500_000],
    p99: [700_000],
    kernelRatio: [expect.closeTo(0.5)],
    simulatedRate: [5e4],
    simulatedP50: [500_000],
    simulatedP99: [700_000],
    virtualRate: [2e5],
  });
});

it('faults per second are those that were counted, and what moved is all that was touched', () => {
  const simulated = faultCell().simulated;
  if (simulated === null) throw new Error('no times');
  const cell = faultCell({
    pages: 'migrate',
    wall: null,
    kernel: null,
    simulated: { ...simulated, faults: 250 },
  });
  expect(faultReport.measured(cell).samples).toMatchObject({ simulatedRate: [12_500], virtualRate: [5e4] });
  const text = blocksAsText(faultReport.blocks([cell], simulationConfig()), noColors);
  // 1000 ranges of 4 KiB in 20 ms.
  expect(text).toMatch(/^migrate +4KiB +64 +12,500 .* 205MB\/s$/m);
  expect(text).toContain(
    'migrate.4KiB.64 (simulated): 250 faults for the 1,000 ranges that a sample touches\n',
  );
  expect(faultReport.results(cell)[0].simulated).toMatchObject({
    rangesPerSample: 1000,
    faultsPerSample: 250,
  });
});

it('what the engine does is per second, and what each takes in nanoseconds', () => {
  expect(engineReport.measured(engineCell()).samples.rate).toEqual([4e6, 4e6, 4e6]);
  const lines = blocksAsText(engineReport.blocks([engineCell()], simulationConfig()), noColors).split('\n');
  expect(lines[1]).toMatch(/^virtual +steps +4,000,000 +0% +250ns +9$/);
});

it('the error of a model is a distance, whichever of the two figures is larger', () => {
  const errorOf = (residual: number | null) =>
    calibrateReport.measured(calibrateCell({ residual })).samples.error;
  expect([0.04, -0.25, null].map(errorOf)).toEqual([[0.04], [0.25], null]);
});
