/** When a machine is too noisy to measure on. */

import { describe, expect, it } from 'vitest';
import { figuresOf, type Metric } from '../../../src/report/bench/figure.js';
import { noiseWarnings, stolenWarning } from '../../../src/report/bench/noise.js';

const wall: Metric = { unit: 'ns', clock: 'wall', better: 'lower', what: '' };

function warnings(samples: readonly number[], metric: Metric = wall): string[] {
  return noiseWarnings(figuresOf('b', [{ key: 'c', samples: { m: samples } }], { m: metric }));
}

describe('noiseWarnings', () => {
  it('is silent on a quiet machine, and about one sample that stands out', () => {
    expect(warnings([100, 101, 99, 100, 102])).toEqual([]);
    expect(warnings([100, 101, 99, 100, 900])).toEqual([]);
    // Of two nobody can tell which one stands out.
    expect(warnings([100, 200])).toEqual([]);
  });

  it('names what scatters, and by how much', () => {
    expect(warnings([100, 150, 80, 200, 60])).toEqual([
      'Noisy: 1 of 1 wall figure scatter by more than 10% (b.c.m by 59%). Let nothing else run beside, or take more --samples.',
    ]);
  });

  it('sees that warm-up was not over', () => {
    expect(warnings([107, 106, 105, 104, 103, 102, 101])).toEqual([
      'Not steady: 1 figure kept changing in one direction from sample to sample (b.c.m).',
    ]);
  });

  it('tells when others had the processors, unless no time of theirs was measured', () => {
    const figures = (metric: Metric) =>
      figuresOf('b', [{ key: 'c', samples: { m: [1, 1, 1] } }], { m: metric });
    expect(stolenWarning(figures(wall), 0.4)).toEqual([
      "Stolen: others had 40% of this machine's processors meanwhile, says its hypervisor. Wall figures are worse than the machine's own.",
    ]);
    expect(stolenWarning(figures(wall), 0.01)).toEqual([]);
    expect(stolenWarning(figures(wall), Number.NaN)).toEqual([]);
    expect(stolenWarning(figures({ ...wall, clock: 'simulated' }), 0.4)).toEqual([]);
  });

  it('has nothing to say of modelled time', () => {
    expect(warnings([100, 150, 80, 200, 60], { ...wall, clock: 'simulated' })).toEqual([]);
  });
});
