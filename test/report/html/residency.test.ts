/** Residency from a trace that is written by hand: each step moves pages as its name says. */

import { describe, expect, it } from 'vitest';
import type { Trace } from '../../../src/observe/trace/trace.js';
import { readTrace } from '../../../src/observe/trace/traceReader.js';
import { packHead } from '../../../src/observe/trace/traceWords.js';
import type { ResidencyData } from '../../../src/report/html/reportData.js';
import { Residency } from '../../../src/report/html/residency.js';

type Event = readonly [step: string, task: number, ...args: readonly number[]];

const steps = [
  'fault.anonymous',
  'fault.hugeAnonymous',
  'driver.migrateStart',
  'pagemap.toDevmem',
  'pagemap.collected',
  'pagemap.toDevmemDone',
  'pagemap.cpuMigrated',
  'pagemap.evict',
  'pagemap.evictDone',
  'zap.cleared',
  'rmap.unmapped',
  'swap.mapped',
  'mremap.moved',
  'fork.copied',
  'exit.torn',
] as const;

/** One event per nanosecond. */
function traceOf(events: readonly Event[]): Trace {
  const words = events.flatMap(([step, task, ...args], time) => [
    packHead(steps.indexOf(step as (typeof steps)[number]), args.length, 0, 0, task),
    time,
    ...args,
  ]);
  return {
    scenario: 'by hand',
    executor: 'virtual',
    seed: 1,
    actors: ['coordinator'],
    devices: 2,
    steps: steps.map((name) => ({ name, fields: [] })),
    messages: [],
    rings: [[Float64Array.from(words)]],
    events: events.length,
    dropped: 0,
  };
}

function residencyOf(events: readonly Event[]): ResidencyData {
  const trace = traceOf(events);
  const residency = new Residency(trace);
  readTrace(trace, residency);
  return residency.data();
}

/** Owner of a page at the end, by name. */
function ownerAtEnd({ owners, bands, changes }: ResidencyData, process: number, page: number): string {
  let owner = 0;
  for (let i = 0; i < changes.length; i += 5) {
    const band = bands[changes[i + 1]];
    const first = band.start + changes[i + 2];
    if (band.process === process && first <= page && page < first + changes[i + 3]) owner = changes[i + 4];
  }
  return owners[owner];
}

const MM = 1;
const toDevice = (
  task: number,
  start: number,
  npages: number,
  device: number,
  allocation: number,
): Event[] => [
  ['driver.migrateStart', task, start, npages, MM, 1],
  ['pagemap.toDevmem', task, start, npages, device, allocation],
  ['pagemap.toDevmemDone', task, start, npages, device, 5],
];

describe('residency', () => {
  it('begins in RAM with the first touch, and follows a migration', () => {
    const data = residencyOf([['fault.anonymous', 1, 100, 7, MM], ...toDevice(2, 96, 16, 1, 4)]);
    expect(data.bands).toEqual([{ process: MM, start: 96, npages: 16 }]);
    expect(ownerAtEnd(data, MM, 100)).toBe('gpu1');
    // A hole migrates with its neighbours.
    expect(ownerAtEnd(data, MM, 97)).toBe('gpu1');
  });

  it('shows pages that were taken away while they migrated nowhere, and those touched since in RAM', () => {
    const data = residencyOf([
      ...[100, 101, 102].map((page): Event => ['fault.anonymous', 1, page, 7, MM]),
      ['driver.migrateStart', 2, 100, 4, MM, 1],
      ['pagemap.toDevmem', 2, 100, 4, 1, 4],
      ['pagemap.collected', 2, 100, 4, 4, 5],
      ['zap.cleared', 3, 101, 3, MM],
      ['fault.anonymous', 1, 102, 7, MM],
      ['pagemap.toDevmemDone', 2, 100, 4, 1, 5],
    ]);
    // What was a hole all along is filled.
    expect([100, 101, 102, 103].map((page) => ownerAtEnd(data, MM, page))).toEqual([
      'gpu1',
      'nowhere',
      'RAM',
      'gpu1',
    ]);
  });

  it('says nothing of a migration that failed', () => {
    const data = residencyOf([
      ['fault.anonymous', 1, 100, 7, MM],
      ['pagemap.toDevmem', 2, 100, 1, 0, 4],
      ['pagemap.evict', 3, 0, 1, 4],
      ['pagemap.evictDone', 3, 0, 1, -16, 9],
    ]);
    expect(data.changes).toHaveLength(5);
    expect(ownerAtEnd(data, MM, 100)).toBe('RAM');
  });

  it('brings home for a CPU fault what was on a device, and leaves holes holes', () => {
    const data = residencyOf([
      ...toDevice(2, 100, 4, 0, 4),
      ['zap.cleared', 5, 102, 1, MM],
      ['pagemap.cpuMigrated', 3, 100, 4, 0, MM],
    ]);
    expect([100, 101, 102, 103].map((page) => ownerAtEnd(data, MM, page))).toEqual([
      'RAM',
      'RAM',
      'nowhere',
      'RAM',
    ]);
  });

  it('knows whose pages migrate where the task has to make room first, with pages of another process', () => {
    const data = residencyOf([
      ...toDevice(2, 100, 1, 0, 4),
      ['fault.anonymous', 3, 500, 8, MM + 1],
      ['driver.migrateStart', 3, 500, 1, MM + 1, 1],
      ['driver.migrateStart', 3, 100, 1, MM, 3],
      ['pagemap.evict', 3, 0, 1, 4],
      ['pagemap.evictDone', 3, 0, 1, 0, 9],
      ['pagemap.toDevmem', 3, 500, 1, 0, 5],
      ['pagemap.toDevmemDone', 3, 500, 1, 0, 9],
    ]);
    expect([ownerAtEnd(data, MM, 100), ownerAtEnd(data, MM + 1, 500)]).toEqual(['RAM', 'gpu0']);
  });

  it('shows pages that are swapped out nowhere until they are read back', () => {
    const out: Event[] = [
      ...[10, 11, 12].map((page): Event => ['fault.anonymous', 1, page, 7, MM]),
      ['rmap.unmapped', 2, 11, 7, MM],
    ];
    expect([10, 11, 12].map((page) => ownerAtEnd(residencyOf(out), MM, page))).toEqual([
      'RAM',
      'nowhere',
      'RAM',
    ]);
    const back = residencyOf([...out, ['swap.mapped', 3, 11, 8, 0, MM]]);
    expect(ownerAtEnd(back, MM, 11)).toBe('RAM');
  });

  it('evicts the pages of one allocation, wherever they were moved to, and no others', () => {
    const data = residencyOf([
      ...toDevice(2, 100, 4, 0, 4),
      ...toDevice(2, 200, 4, 0, 5),
      ['mremap.moved', 6, 100, 300, 2, MM],
      ['pagemap.evict', 7, 0, 4, 4],
      ['pagemap.evictDone', 7, 0, 4, 0, 9],
    ]);
    expect([100, 102, 200, 300].map((page) => ownerAtEnd(data, MM, page))).toEqual([
      'nowhere',
      'RAM',
      'gpu0',
      'RAM',
    ]);
  });

  it('keeps processes apart: a child has what its parent has, until it ends', () => {
    const events: Event[] = [
      ['fault.hugeAnonymous', 1, 700, 7, MM],
      ['fork.copied', 2, 512, 512, MM, 2],
    ];
    expect(ownerAtEnd(residencyOf(events), 2, 512)).toBe('RAM');
    const data = residencyOf([...events, ['exit.torn', 3, 2]]);
    expect(ownerAtEnd(data, 2, 512)).toBe('nowhere');
    expect(ownerAtEnd(data, MM, 1023)).toBe('RAM');
  });

  it('tells so many changes at a coarser grain, with the same end', () => {
    const events: Event[] = [];
    for (let i = 0; i < 45_000; i++)
      events.push(
        i % 2 === 0
          ? ['fault.anonymous', 1, 2 * (i % 64), 7, MM]
          : ['zap.cleared', 1, 2 * ((i - 1) % 64), 1, MM],
      );
    events.push(...toDevice(2, 0, 4, 1, 4));
    const data = residencyOf(events);
    expect(data.grainNs).toBeGreaterThan(0);
    expect(data.changes.length / 5).toBeLessThan(40_000);
    expect([0, 1, 2, 3].map((page) => ownerAtEnd(data, MM, page))).toEqual(['gpu1', 'gpu1', 'gpu1', 'gpu1']);
  });
});
