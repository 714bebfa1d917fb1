/** Rates of samples that took a time, and none of those that took none. */

import { describe, expect, it } from 'vitest';
import { accessReport } from '../../../src/report/bench/access.js';
import { faultReport } from '../../../src/report/bench/fault.js';
import { figuresOf } from '../../../src/report/bench/figure.js';
import { migrateReport } from '../../../src/report/bench/migrate.js';
import { ratesPerSecond } from '../../../src/report/bench/rates.js';
import { noColors } from '../../../src/report/colors.js';
import { blocksAsText } from '../../../src/report/reportBlock.js';
import { accessCell, faultCell } from '../../cli/fakeHost.js';
import { migrateCell, migrateFlow, simulationConfig } from '../fixtures.js';

const config = simulationConfig();
/** Of a model in which nothing on the way costs anything. */
const instant = { times: [0, 0], warmups: 1, isSteady: true };

describe('a cell that takes no simulated time', () => {
  it('has no rate of faults', () => {
    const { wall } = faultCell();
    if (wall === null) throw new Error('the cell has no wall figures');
    const simulated = { ...wall, ...instant };
    const cell = faultCell({ wall: null, kernel: null, virtualTimes: [], simulated });
    const names = figuresOf('fault', [faultReport.measured(cell)], faultReport.metrics).map(
      ({ name }) => name,
    );
    expect(names).not.toContain('fault.present.4KiB.64.simulatedRate');
    expect(faultReport.results(cell)[0].simulated).toMatchObject({ faultsPerSecond: null, samples: 0 });
    const text = blocksAsText(faultReport.blocks([cell], config), noColors);
    expect(text).toContain('present.4KiB.64: takes no simulated time\n');
    expect(text).toMatch(/^present +4KiB +64 +N\/A +N\/A +500us /m);
    const moving = blocksAsText(faultReport.blocks([{ ...cell, pages: 'migrate' }], config), noColors);
    expect(moving).toMatch(/^migrate .* N\/A$/m);
  });

  it('has no rate of loads', () => {
    const simulated = { ...instant, loads: 100 };
    const cell = accessCell({ kind: 'miss', wall: null, simulated });
    expect(figuresOf('access', [accessReport.measured(cell)], accessReport.metrics)).toEqual([]);
    expect(accessReport.results(cell)[0].simulated).toMatchObject({ loadsPerSecond: null, samples: 0 });
    const text = blocksAsText(accessReport.blocks([cell], config), noColors);
    expect(text).toContain('miss.1: takes no simulated time\n');
    expect(text).toMatch(/^nowhere: a fault each +1 +N\/A +N\/A +N\/A$/m);
  });

  it('has no bandwidth', () => {
    const simulated = { ...instant, bytes: [4096, 4096], memcpyRatios: [] };
    const flows = [migrateFlow({ wall: null, simulated })];
    for (const test of ['host_to_device', 'host_to_all'] as const) {
      const cell = migrateCell({ test, flows });
      expect(figuresOf('migrate', [migrateReport.measured(cell)], migrateReport.metrics)).toEqual([]);
      expect(migrateReport.results(cell)[0].simulated).toMatchObject({ bytesPerSecond: null });
      const text = blocksAsText(migrateReport.blocks([cell], config), noColors);
      expect(text).toContain(`${test}.2MiB: takes no simulated time\n`);
    }
  });
});

describe('rates', () => {
  it('are of samples that took a time', () => {
    expect(ratesPerSecond(10, [1e9, 0, 5e9])).toEqual([10, 2]);
  });
});

describe('figures', () => {
  it('are numbers', () => {
    const { rate } = accessReport.metrics;
    const made = () => figuresOf('b', [{ key: 'c', samples: { rate: [1, Number.NaN] } }], { rate });
    expect(made).toThrow('b.c.rate has a sample that is no number');
  });
});

describe('bench access', () => {
  it('calls the rate upside down what it is', () => {
    const text = blocksAsText(accessReport.blocks([accessCell()], config), noColors);
    const [head, row] = text.split('\n').map((line) => line.split(/ {2,}/));
    expect(head.slice(2)).toEqual(['loads/s and device (wall)', '±', 'one every (wall)', 'warm-ups']);
    // 4,000,000 loads of a device in 100 ms, however many of them are under way.
    expect([row[2], row[4]]).toEqual(['40,000,000', '25ns']);
  });

  it('says why a cell was waived', () => {
    const waived = accessCell({ status: 'Waived', reason: 'is not modelled', wall: null });
    const text = blocksAsText(accessReport.blocks([waived], config), noColors);
    expect(text).toContain('tlb.1: Waived: is not modelled\n');
  });
});
