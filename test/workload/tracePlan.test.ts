/** What a replay does and touches, worked out from the recording. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { vpn } from '../../src/base/units.js';
import { parseStrace } from '../../src/workload/trace/parseStrace.js';
import { OPS_PER_CHUNK, type TracePlan, tracePlan } from '../../src/workload/tracePlan.js';
import { Prot, RemapFlag } from '../../src/workload/workload.js';
import type { TraceConfig } from '../../src/workload/workloadConfig.js';
import { FlatMachine } from './flatMachine.js';

const BASE = 0x7f0000100;

function config(lines: string, touchPages = 2): TraceConfig {
  const text = lines
    .trim()
    .split('\n')
    .map((line, i) => `1 ${(1 + i / 1000).toFixed(6)} ${line.trim()}\n`)
    .join('');
  return { kind: 'trace', name: 't', trace: parseStrace(text, 't.strace'), touchPages, deviceAccesses: 5 };
}

function plan(lines: string, touchPages = 2): TracePlan {
  return tracePlan(config(lines, touchPages));
}

/** As page numbers from {@link BASE}. */
function pages(touched: readonly number[], of: TracePlan): number[] {
  return touched.map((index) => of.pageAt(index) - BASE);
}

describe('the calls of a replay', () => {
  it('are private anonymous mappings at the recorded addresses', () => {
    const { replay } = plan(`
      mmap(NULL, 5000, PROT_READ|PROT_EXEC, MAP_SHARED, 3, 0) = 0x7f0000100000
      mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000110000
    `);
    expect(replay.ops).toEqual([
      { kind: 'map', line: 1, start: vpn(BASE), npages: 2, prot: Prot.Read | Prot.Exec },
      { kind: 'map', line: 2, start: vpn(BASE + 16), npages: 1, prot: Prot.None },
    ]);
    expect(replay.madePrivate).toBe(1);
  });

  it('begin with what was mapped before the recording', () => {
    const { replay } = plan(`
      mprotect(0x7f0000100000, 8192, PROT_READ) = 0
      munmap(0x7f0000101000, 8192) = 0
    `);
    expect(replay.ops.map(({ kind, line }) => [kind, line])).toEqual([
      ['map', 0],
      ['protect', 1],
      ['unmap', 2],
    ]);
    expect(replay.ops[0]).toMatchObject({ start: BASE, npages: 3, prot: Prot.Read | Prot.Write });
    expect(replay.calls).toBe(2);
  });

  it('grow and shrink the heap where the program had it', () => {
    const { replay } = plan(`
      brk(NULL) = 0x7f0000100000
      brk(0x7f0000102800) = 0x7f0000102800
      brk(0x7f0000103000) = 0x7f0000103000
      brk(0x7f0000101000) = 0x7f0000101000
      brk(0x7fffffffffff) = 0x7f0000101000
    `);
    expect(replay.ops).toMatchObject([
      { kind: 'map', line: 2, start: BASE, npages: 3, prot: Prot.Read | Prot.Write },
      { kind: 'unmap', line: 4, start: BASE + 1, npages: 2 },
    ]);
    expect(replay.withoutEffect).toBe(3);
  });

  it('drop pages where content goes, and leave hints and failures out', () => {
    const { replay } = plan(`
      mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000100000
      madvise(0x7f0000100000, 4096, MADV_DONTNEED) = 0
      madvise(0x7f0000100000, 4096, MADV_FREE) = 0
      madvise(0x7f0000100000, 4096, MADV_HUGEPAGE) = 0
      munmap(0x7f0000100001, 4096) = -1 EINVAL (Invalid argument)
    `);
    expect(replay.ops.map(({ kind }) => kind)).toEqual(['map', 'drop', 'drop']);
    expect([replay.calls, replay.withoutEffect, replay.skippedFailures]).toEqual([3, 1, 1]);
  });

  it('move to the recorded place, and stay where the program’s mapping stayed', () => {
    const { replay } = plan(`
      mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000100000
      mremap(0x7f0000100000, 8192, 12288, MREMAP_MAYMOVE) = 0x7f0000100000
      mremap(0x7f0000100000, 12288, 16384, MREMAP_MAYMOVE) = 0x7f0000200000
      mremap(0x7f0000200000, 16384, 16384, MREMAP_MAYMOVE|MREMAP_DONTUNMAP) = 0x7f0000300000
    `);
    expect(replay.ops.slice(1)).toMatchObject([
      { kind: 'remap', flags: 0, to: BASE, toPages: 3 },
      { kind: 'remap', flags: RemapFlag.MayMove | RemapFlag.Fixed, to: BASE + 256, keepsOld: false },
      { flags: RemapFlag.MayMove | RemapFlag.Fixed | RemapFlag.DontUnmap, to: BASE + 512, keepsOld: true },
    ]);
  });
});

describe('the touches of a replay', () => {
  it('are spread over each mapping that becomes writable', () => {
    const of = plan(
      `
      mmap(NULL, 40960, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000100000
      mmap(NULL, 40960, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000110000
      mmap(NULL, 40960, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000120000
      mprotect(0x7f0000120000, 4096, PROT_READ|PROT_WRITE) = 0
    `,
      3,
    );
    expect(of.touches.map(({ after }) => pages(after, of))).toEqual([[0, 3, 6], [], [], [32]]);
    expect(of.count).toBe(4);
  });

  it('look at pages before they are taken away, if they can be read', () => {
    const of = plan(`
      mmap(NULL, 40960, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000100000
      mprotect(0x7f0000100000, 4096, PROT_NONE) = 0
      madvise(0x7f0000100000, 40960, MADV_DONTNEED) = 0
      munmap(0x7f0000105000, 4096) = 0
      munmap(0x7f0000100000, 40960) = 0
    `);
    expect(of.touches.map(({ before }) => pages(before, of))).toEqual([[], [0], [5], [5], []]);
  });

  it('include where touched pages move to, and leave those to the CPU thread alone', () => {
    const of = plan(`
      mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000100000
      mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000110000
      mremap(0x7f0000100000, 8192, 24576, MREMAP_MAYMOVE) = 0x7f0000120000
      mremap(0x7f0000120000, 24576, 4096, MREMAP_MAYMOVE|MREMAP_FIXED, 0x7f0000130000) = 0x7f0000130000
    `);
    const all = Array.from({ length: of.count }, (_, i) => i);
    expect(pages(all, of)).toEqual([0, 1, 16, 32, 33, 35, 48]);
    expect(all.map((index) => of.isMovable(index))).toEqual([true, true, false, true, true, true, true]);
    expect(of.touches.map(({ after }) => pages(after, of))).toEqual([[0, 1], [16], [32, 35], [48]]);
  });

  it('still look at what a move has left mapped', () => {
    const of = plan(`
      mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000100000
      mremap(0x7f0000100000, 4096, 4096, MREMAP_MAYMOVE|MREMAP_DONTUNMAP) = 0x7f0000110000
      munmap(0x7f0000100000, 4096) = 0
      munmap(0x7f0000110000, 4096) = 0
    `);
    expect(of.touches.map(({ before }) => pages(before, of))).toEqual([[], [0], [0], [16]]);
  });

  it('find pages by their address', () => {
    const of = plan(
      'mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000100000',
    );
    expect([BASE - 1, BASE, BASE + 1, BASE + 2].map((page) => of.indexOf(page))).toEqual([-1, 0, 1, -1]);
    expect([0, BASE + 1, BASE + 99].map((page) => of.firstAtLeast(page))).toEqual([0, 1, 2]);
  });

  it('leave devices what is readable at some time of a chunk', () => {
    const map = (i: number) =>
      `mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000${(0x100 + i).toString(16)}000`;
    const unmap = (i: number) => `munmap(0x7f0000${(0x100 + i).toString(16)}000, 4096) = 0`;
    const lines = Array.from({ length: OPS_PER_CHUNK }, (_, i) => map(i));
    const of = plan([...lines, unmap(0), unmap(1), map(200)].join('\n'));
    expect(of.chunks).toBe(2);
    expect(of.chunkPages.map((chunk) => chunk.length)).toEqual([100, 101]);
    expect(pages(of.chunkPages[1] ?? [], of).at(-1)).toBe(200);
  });
});

describe('recorded programs', () => {
  it.each([
    ['gcc-compile', 16],
    ['sort-parallel', 45],
    ['python-threads', 300],
    ['python-buffers', 1000],
  ])('%s replays on a flat memory as recorded', (name, callsAtLeast) => {
    const file = new URL(`../mm-traces/${name}.strace`, import.meta.url);
    const trace = parseStrace(readFileSync(file, 'utf8'), name);
    const machine = new FlatMachine([{ kind: 'trace', name, trace, touchPages: 3, deviceAccesses: 20 }], {
      frames: 4096,
    });
    expect(machine.runVerified(20_000)).toEqual([]);
    const [result] = machine.results;
    expect(result).toMatchObject({ ok: true, counts: { violations: 0 } });
    expect(result?.counts.calls).toBeGreaterThan(callsAtLeast);
  });
});
