/** The plain computations that results are compared with, against the textbook in a few lines. */

import { describe, expect, it } from 'vitest';
import { HistogramModel, histogramSample } from '../../src/workload/histogramModel.js';
import { JacobiModel, jacobiStart } from '../../src/workload/jacobiModel.js';
import { Partition } from '../../src/workload/partition.js';
import { SaxpyModel, saxpyX, saxpyY } from '../../src/workload/saxpyModel.js';

describe('saxpy', () => {
  it('adds 0.7 x to y in each round, in 32-bit floats', () => {
    const model = new SaxpyModel(7, 3000);
    for (const element of [0, 1023, 1024, 2999]) {
      const y = new Float32Array([saxpyY(7, element)]);
      const ax = new Float32Array([Math.fround(0.7) * saxpyX(7, element)]);
      for (let round = 0; round <= 5; round++) {
        expect(model.value(element, round)).toBe(y[0]);
        y[0] = (y[0] ?? 0) + (ax[0] ?? 0);
      }
    }
  });

  it('goes back as well as forward', () => {
    const model = new SaxpyModel(7, 10);
    const values = [0, 1, 2, 3].map((round) => model.value(4, round));
    expect([3, 1, 2, 0].map((round) => model.value(4, round))).toEqual(
      [3, 1, 2, 0].map((round) => values[round]),
    );
    expect(new Set(values).size).toBe(4);
  });
});

describe('jacobi', () => {
  const rows = 6;
  const columns = 5;

  function relax(from: number[][]): number[][] {
    const at = (row: number, column: number) => from[row]?.[column] ?? Number.NaN;
    return from.map((line, row) =>
      line.map((value, column) => {
        const border = row === 0 || column === 0 || row === rows - 1 || column === columns - 1;
        if (border) return value;
        const sum = new Float32Array([at(row - 1, column) + at(row + 1, column)]);
        sum[0] = (sum[0] ?? 0) + at(row, column - 1);
        sum[0] = (sum[0] ?? 0) + at(row, column + 1);
        return Math.fround((sum[0] ?? 0) / 4);
      }),
    );
  }

  it('averages the four neighbours, all at once, and leaves the border', () => {
    const model = new JacobiModel(3, rows, columns);
    let grid = Array.from({ length: rows }, (_, row) =>
      Array.from({ length: columns }, (_, column) => jacobiStart(3, row * columns + column)),
    );
    for (let iteration = 0; iteration < 6; iteration++) {
      expect([...model.grid(iteration)]).toEqual(grid.flat());
      grid = relax(grid);
    }
  });

  it('keeps three grids, and computes older ones again', () => {
    const model = new JacobiModel(3, rows, columns);
    const grids = [0, 1, 2, 3, 4, 5].map((iteration) => model.grid(iteration).slice());
    for (const iteration of [5, 4, 3, 0, 5, 2]) expect(model.grid(iteration)).toEqual(grids[iteration]);
  });
});

describe('histogram', () => {
  it('counts the samples that contexts have done, whether they go forward or back', () => {
    const partition = new Partition(500, 2, 3);
    const model = new HistogramModel(9, 17, partition);
    const naive = (done: (device: number, context: number) => number): number[] => {
      const bins = new Array<number>(17).fill(0);
      for (let device = 0; device < 2; device++) {
        for (let context = 0; context < 3; context++) {
          const { start } = partition.share(device, context);
          for (let i = 0; i < done(device, context); i++) bins[histogramSample(9, start + i) % 17]++;
        }
      }
      return bins;
    };
    for (const scale of [0, 3, 20, 80, 10]) {
      const done = (device: number, context: number) => Math.min(scale * (1 + device) + context, 83);
      expect([...model.countsAt(done)]).toEqual(naive(done));
    }
  });
});
