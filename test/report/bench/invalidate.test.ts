/** What `bench invalidate` says of each device beyond the first. */

import { describe, expect, it } from 'vitest';
import { invalidateReport } from '../../../src/report/bench/invalidate.js';
import { invalidateCell } from '../../cli/fakeHost.js';
import { simulationConfig } from '../fixtures.js';

function linesFor(oneNs: number, eightNs: number): readonly string[] {
  const cellWith = (devices: number, p50Ns: number) => {
    const { wall } = invalidateCell();
    if (wall === null) throw new Error('the cell has no wall figures');
    return invalidateCell({ devices, wall: { ...wall, latency: { ...wall.latency, p50Ns } } });
  };
  const blocks = invalidateReport.blocks([cellWith(1, oneNs), cellWith(8, eightNs)], simulationConfig());
  return blocks.flatMap((block) => ('lines' in block ? block.lines : []));
}

describe('the cost of each device beyond the first', () => {
  it('is what they add, beside the first', () => {
    expect(linesFor(100_000, 450_000)).toEqual([
      'protect.64KiB.8: each device beyond the first adds 50us (wall), 50% of the first',
    ]);
  });

  it('is not told where more devices were faster, which is chance', () => {
    expect(linesFor(100_000, 93_000)).toEqual([
      'protect.64KiB.8: each device beyond the first adds less than the scatter (wall)',
    ]);
  });

  it('may be nothing', () => {
    expect(linesFor(100_000, 100_000)).toEqual([
      'protect.64KiB.8: each device beyond the first adds nothing (wall)',
    ]);
  });
});
