/** The shared counters of zaps. */

import { describe, expect, it } from 'vitest';
import { GhostBoard } from '../../src/workload/ghostBoard.js';
import { parseStrace } from '../../src/workload/trace/parseStrace.js';
import type { WorkloadConfig } from '../../src/workload/workloadConfig.js';

const saxpy: WorkloadConfig = { kind: 'saxpy', name: 'saxpy', elements: 10, rounds: 1 };
const invalidate = (pages: number): WorkloadConfig => ({
  kind: 'invalidate',
  name: 'invalidate',
  pages,
  calls: ['munmap'],
  spanPages: 1,
  operations: 1,
  pauseUs: 0,
  launchAccesses: 64,
});
const trace: WorkloadConfig = {
  kind: 'trace',
  name: 'trace',
  trace: parseStrace(
    '1 1.0 mmap(NULL, 40960, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000100000\n',
    'one.strace',
  ),
  touchPages: 4,
  deviceAccesses: 1,
};

const configs = [invalidate(3), saxpy, trace, invalidate(5)];

function makeBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(GhostBoard.bytesFor(configs));
}

describe('the ghost board', () => {
  it('has counters for the pages of each workload that tracks its stores', () => {
    const board = new GhostBoard(makeBuffer(), configs);
    expect([0, 2, 3].map((workload) => board.region(workload).pages)).toEqual([3, 4, 5]);
    expect(() => board.region(1)).toThrow('workload 1 has no ghost pages');
    expect(() => board.region(0).started(3)).toThrow('ghost page 3 of 3');
  });

  it('is the same for all who make one over the same buffer, and apart for each workload and page', () => {
    const buffer = makeBuffer();
    const [writer, reader] = [new GhostBoard(buffer, configs), new GhostBoard(buffer, configs)];
    writer.region(2).beginZap(1, 2);
    writer.region(2).endZap(1, 1);
    writer.region(3).publish(64, 9);
    const counters = (workload: number) => {
      const region = reader.region(workload);
      return Array.from({ length: region.pages }, (_, i) => [region.started(i), region.ended(i)]);
    };
    expect(counters(2)).toEqual([
      [0, 0],
      [1, 1],
      [1, 0],
      [0, 0],
    ]);
    expect(
      counters(0)
        .flat()
        .concat(counters(3).flat())
        .every((count) => count === 0),
    ).toBe(true);
    expect(reader.region(3).published(64)).toBe(9);
    expect(reader.region(3).published(63)).toBe(0);
  });

  it('asserts that the zaps of a page do not overlap', () => {
    const region = new GhostBoard(makeBuffer(), configs).region(0);
    region.beginZap(0, 2);
    expect(() => region.beginZap(1, 1)).toThrow('zaps of ghost page 1 overlap');
    region.endZap(0, 2);
    expect(() => region.endZap(0, 1)).toThrow('a zap of ghost page 0 ends twice');
  });

  it('must have the size that its workloads need', () => {
    expect(() => new GhostBoard(new SharedArrayBuffer(64), configs)).toThrow('does not match');
    expect(new GhostBoard(new SharedArrayBuffer(GhostBoard.bytesFor([])), [])).toBeDefined();
  });
});
