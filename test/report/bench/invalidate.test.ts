/** What `bench invalidate` says of each device beyond the first. */

import { describe, expect, it } from 'vitest';
import { invalidateReport } from '../../../src/report/bench/invalidate.js';
import { invalidateCell } from '../../cli/fakeHost.js';
import { simulationConfig } from '../fixtures.js';

function linesFor(oneNs: number, eightNs: number, clock: 'wall' | 'simulated' = 'wall'): readonly string[] {
  const cellWith = (devices: number, p50Ns: number) => {
    const { wall } = invalidateCell();
    if (wall === null) throw new Error('the cell has no wall figures');
    const times = { ...wall, latency: { ...wall.latency, p50Ns } };
    return invalidateCell({ devices, wall: null, simulated: null, [clock]: times });
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

  it('says of simulated time why it is nothing', () => {
    expect(linesFor(5000, 5000, 'simulated')).toEqual([
      'protect.64KiB.8: each device beyond the first adds nothing (simulated): all are asked at once, and the cost model has no time of the host for the sending of each',
    ]);
  });

  it('is said once of many that have the same', () => {
    const { wall } = invalidateCell();
    const events = ['protect', 'unmap', 'discard', 'migrate'] as const;
    const cells = events.flatMap((event) =>
      [1, 8].map((devices) => invalidateCell({ event, devices, wall })),
    );
    const lines = invalidateReport
      .blocks(cells, simulationConfig())
      .flatMap((block) => ('lines' in block ? block.lines : []));
    expect(lines).toEqual([
      'protect.64KiB.8, unmap.64KiB.8 and 2 more: each device beyond the first adds nothing (wall)',
    ]);
  });

  it('may be nothing', () => {
    expect(linesFor(100_000, 100_000)).toEqual([
      'protect.64KiB.8: each device beyond the first adds nothing (wall)',
    ]);
  });
});
