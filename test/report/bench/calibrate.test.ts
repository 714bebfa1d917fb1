/** What `bench calibrate` prints: what was fitted beside what is predicted, and both counted apart. */

import { describe, expect, it } from 'vitest';
import { calibrateReport, residualText } from '../../../src/report/bench/calibrate.js';
import { noColors } from '../../../src/report/colors.js';
import { blocksAsText } from '../../../src/report/reportBlock.js';
import { figureOf } from '../../../src/simulation/calibrate/figures.js';
import { calibrateCell } from '../../cli/fakeHost.js';
import { simulationConfig } from '../fixtures.js';

const fitted = calibrateCell();
const predicted = calibrateCell({
  figure: 'xe-prefetch-5-threads',
  about: figureOf('xe-prefetch-5-threads'),
  fitted: [],
  basis: 'predicted',
});
const explained = calibrateCell({
  figure: 'p2pmark-latency',
  about: figureOf('p2pmark-latency'),
  model: null,
  residual: null,
  fitted: [],
  basis: null,
  status: 'explained',
  notMet: 'a load takes no time',
});

function text(...cells: readonly (typeof fitted)[]): string {
  return blocksAsText(calibrateReport.blocks(cells, simulationConfig()), noColors);
}

describe('calibrateReport', () => {
  it('says of each figure which numbers were fitted to it, or that it is predicted', () => {
    const all = text(fitted, predicted, explained);
    expect(all).toMatch(/^Figure .* Residual +Fitted or predicted$/m);
    expect(all).toMatch(/^xe-copy-2m .* \+4\.0% +fitted: host-link +met$/m);
    expect(all).toMatch(/^xe-prefetch-5-threads .* predicted +met$/m);
    expect(all).toMatch(/^p2pmark-latency .* nothing alike +- +- +not met, see below$/m);
  });

  it('counts what is fitted and what is predicted apart', () => {
    const checks = calibrateReport.checks([fitted, fitted, predicted, explained]);
    expect(checks.map(({ detail }) => detail)).toEqual([
      '3 of 4 claimed figures are met within 15 %, 2 to which numbers of the preset were fitted and 1 predicted; 1 is not and the preset says why',
    ]);
  });

  it('says where an experiment has other copy engines than the preset, and what those of the preset give', () => {
    const changed = calibrateCell({
      ownEngines: { engines: { experiment: 7, own: 2 }, model: 15, residual: -0.0625 },
    });
    expect(text(changed)).toContain(
      'xe-copy-2m: made with 7 copy engines for each device, as many as the measurement had streams; with the 2 of the preset 15.0GB/s, -6.3%',
    );
    expect(text(fitted)).not.toContain('copy engine');
    const own = { experiment: 7, preset: 2, simulated: 15, residual: -0.0625 };
    expect(calibrateReport.results(changed)).toMatchObject([{ ownEngines: own }]);
    expect(calibrateReport.results(fitted)[0]).not.toHaveProperty('ownEngines');
  });

  it.each([
    [0.026, '+2.6%'],
    [-0.026, '-2.6%'],
    [-0.0001, '+0.0%'],
    [null, '-'],
  ])('writes a residual of %j as %s', (residual, words) => {
    expect(residualText({ residual })).toBe(words);
  });

  it('tells both in the document', () => {
    expect(calibrateReport.results(fitted)).toMatchObject([{ basis: 'fitted', fitted: ['host-link'] }]);
    expect(calibrateReport.results(predicted)).toMatchObject([{ basis: 'predicted', fitted: [] }]);
  });
});
