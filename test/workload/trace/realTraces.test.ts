/** The recorded programs of test/mm-traces: every figure here was counted by other means than the parser. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatVpn } from '../../../src/base/units.js';
import type { MmEvent } from '../../../src/workload/trace/mmCall.js';
import { type MmProgram, type MmTrace, mainProgram } from '../../../src/workload/trace/mmTrace.js';
import { parseStrace } from '../../../src/workload/trace/parseStrace.js';
import { traceFootprint } from '../../../src/workload/trace/traceFootprint.js';

function load(name: string): MmTrace {
  return parseStrace(readFileSync(new URL(`../../mm-traces/${name}.strace`, import.meta.url), 'utf8'), name);
}

/** `exec 3, exec ENOENT 8`: events by kind and error. */
function tally(events: readonly MmEvent[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { call, errno } of events) {
    const key = errno === null ? call.kind : `${call.kind} ${errno}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

function perPid({ events }: MmTrace): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { pid } of events) counts[pid] = (counts[pid] ?? 0) + 1;
  return counts;
}

/** `0x539000-0x53c000`, ... */
function intervals(list: readonly { start: number; end: number }[]): readonly string[] {
  return list.map(({ start, end }) => `${formatVpn(start)}-${formatVpn(end)}`);
}

function pages(list: readonly { start: number; end: number }[]): number {
  return list.reduce((sum, { start, end }) => sum + end - start, 0);
}

/**
 * True when every page that a call refers to is mapped at that moment, and no mapping lands on another unless it says so. The heap is left
 * out: none of these programs protects, advises or unmaps a part of it.
 */
function isConsistent(program: MmProgram): boolean {
  const mapped = new Set<number>();
  const span = (start: number, npages: number) => Array.from({ length: npages }, (_, i) => start + i);
  for (const { start, end } of traceFootprint(program).preexisting) {
    for (const page of span(start, end - start)) mapped.add(page);
  }
  for (const { call, errno } of program.events) {
    if (errno !== null) continue;
    if (call.kind === 'mmap' && call.result !== null) {
      for (const page of span(call.result, call.npages)) {
        if (mapped.has(page) && !call.flags.fixed) return false;
        mapped.add(page);
      }
    } else if (call.kind === 'munmap' || call.kind === 'mprotect' || call.kind === 'madvise') {
      for (const page of span(call.start, call.npages)) {
        if (!mapped.has(page)) return false;
        if (call.kind === 'munmap') mapped.delete(page);
      }
    }
  }
  return true;
}

describe('a compiler driver with two children', () => {
  const trace = load('gcc-compile');

  it('has every call, the failed execs apart', () => {
    expect(tally(trace.events)).toEqual({
      mmap: 95,
      munmap: 3,
      mprotect: 20,
      brk: 36,
      vfork: 2,
      exec: 3,
      'exec ENOENT': 8,
      exit: 3,
    });
    expect(perPid(trace)).toEqual({ 13955: 23, 13956: 51 + 45, 13957: 51 });
    expect(trace.pids).toEqual([13955, 13956, 13957]);
    expect(trace.ignored).toEqual(new Map());
  });

  it('lets a vforked child stand after its birth, and its exec where it ended', () => {
    const around = trace.events.filter(({ line }) => line >= 21 && line <= 25);
    expect(around.map(({ pid, line, call: { kind } }) => [line, pid, kind])).toEqual([
      [21, 13955, 'vfork'],
      [22, 13956, 'exec'],
      [25, 13956, 'brk'],
    ]);
    expect(around[0]?.call).toEqual({ kind: 'vfork', child: 13956 });
  });

  it('times each call from the first one on', () => {
    expect(trace.events[0]?.atUs).toBe(0);
    expect(trace.events[1]?.atUs).toBe(3932);
    expect(trace.events.at(-1)).toMatchObject({ line: 178, atUs: 159_130 });
  });

  it('is, as one address space, the driver alone', () => {
    const program = mainProgram(trace);
    expect(tally(program.events)).toEqual({ mmap: 11, munmap: 1, mprotect: 3, brk: 4, vfork: 2, exit: 1 });
    expect(program.pids).toEqual([13955]);
    expect(program.dropped).toEqual({ events: 148, pids: [13956, 13957] });
    expect(isConsistent(program)).toBe(true);
  });

  it('needs the segments that it protects, and its heap', () => {
    const footprint = traceFootprint(mainProgram(trace));
    expect(intervals(footprint.preexisting)).toEqual(['0x539000-0x53c000', '0x7f588d5d5000-0x7f588d5d7000']);
    expect(footprint.heap).toEqual({ startBytes: 0x1c1d0000, initialBreakBytes: 0x1c1d0000 });
    expect(intervals(footprint.everMapped)).toEqual([
      '0x539000-0x53c000',
      '0x1c1d0000-0x1c213000',
      '0x7f588d355000-0x7f588d59c000',
      '0x7f588d5d5000-0x7f588d5d7000',
    ]);
    expect(footprint.peakPages).toBe(654);
  });
});

describe('a Python program that allocates and frees buffers', () => {
  const trace = load('python-buffers');
  const program = mainProgram(trace);

  it('has every call', () => {
    expect(tally(trace.events)).toEqual({ mmap: 447, munmap: 298, mprotect: 35, brk: 255, exec: 1, exit: 1 });
    expect(trace.pids).toEqual([14388]);
    expect(program.events).toHaveLength(1036);
    expect(isConsistent(program)).toBe(true);
  });

  it('maps twice what it has at one time', () => {
    const footprint = traceFootprint(program);
    expect(footprint.peakPages).toBe(59_741);
    expect(pages(footprint.everMapped)).toBe(110_005);
    expect(footprint.everMapped).toHaveLength(6);
    expect(intervals(footprint.preexisting)).toEqual([
      '0x55ce0ef4a000-0x55ce0ef4b000',
      '0x7fcadcb26000-0x7fcadcb28000',
    ]);
    expect(footprint.calls).toMatchObject({
      mmap: 447,
      munmap: 298,
      mprotect: 35,
      brk: 255,
      exec: 0,
      exit: 1,
    });
    expect(footprint.failedCalls).toBe(0);
  });
});

describe('a Python program with four threads', () => {
  const trace = load('python-threads');
  const program = mainProgram(trace);

  it('has every call of every thread', () => {
    expect(tally(trace.events)).toEqual({
      mmap: 138,
      munmap: 55,
      mprotect: 121,
      madvise: 20,
      brk: 17,
      thread: 4,
      exec: 1,
      exit: 5,
    });
    // Calls by thread, and the end of each of the four threads, which have no exit call.
    expect(perPid(trace)).toEqual({ 14203: 145, 14204: 65, 14205: 50, 14206: 49, 14207: 52 });
  });

  it('is one address space whose threads overlap consistently', () => {
    expect(program.pids).toEqual([14203, 14204, 14205, 14206, 14207]);
    expect(program.dropped).toEqual({ events: 1, pids: [] });
    expect(isConsistent(program)).toBe(true);
    const footprint = traceFootprint(program);
    expect(footprint.peakPages).toBe(94_439);
    expect(pages(footprint.everMapped)).toBe(98_237);
    expect(intervals(footprint.everMapped)).toEqual([
      '0x564321dcf000-0x564321dd0000',
      '0x564336beb000-0x564336d7a000',
      '0x7fb46c000000-0x7fb483dba000',
      '0x7fb483dbb000-0x7fb483e2c000',
      '0x7fb483e65000-0x7fb483e67000',
    ]);
  });
});

describe('a parallel sort', () => {
  const trace = load('sort-parallel');
  const program = mainProgram(trace);

  it('has every call of every thread', () => {
    expect(tally(trace.events)).toEqual({
      mmap: 29,
      munmap: 8,
      mprotect: 8,
      madvise: 4,
      brk: 3,
      thread: 4,
      exec: 1,
      exit: 5,
    });
    expect(perPid(trace)).toEqual({ 13974: 43, 13975: 9, 13976: 6, 13977: 2, 13978: 2 });
  });

  it('follows threads that threads start', () => {
    expect(program.pids).toEqual([13974, 13975, 13976, 13977, 13978]);
    expect(isConsistent(program)).toBe(true);
    const footprint = traceFootprint(program);
    expect(footprint.peakPages).toBe(72_312);
    expect(pages(footprint.everMapped)).toBe(75_895);
    expect(intervals(footprint.preexisting)).toEqual([
      '0x55d54f4e0000-0x55d54f4e1000',
      '0x7ff6a1ef2000-0x7ff6a1ef4000',
    ]);
    expect(footprint.calls.thread).toBe(4);
  });

  it('lets a stack be mapped after the unmapping that made room for it, which started later', () => {
    const overlapping = trace.events.filter(({ line }) => line >= 38 && line <= 46);
    expect(overlapping.map(({ line, pid, call: { kind } }) => [line, pid, kind])).toEqual([
      [38, 13975, 'mmap'],
      [41, 13975, 'munmap'],
      [42, 13975, 'munmap'],
      [39, 13974, 'mmap'],
      [45, 13974, 'mprotect'],
      [46, 13975, 'mprotect'],
    ]);
  });
});
