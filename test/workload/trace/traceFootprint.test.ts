/** How much a program maps, and what must be there before it begins. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { vpn } from '../../../src/base/units.js';
import type { MmCall, MmEvent } from '../../../src/workload/trace/mmCall.js';
import { type MmProgram, mainProgram } from '../../../src/workload/trace/mmTrace.js';
import { parseStrace } from '../../../src/workload/trace/parseStrace.js';
import { type TraceFootprint, traceFootprint } from '../../../src/workload/trace/traceFootprint.js';

function footprint(...lines: readonly string[]): TraceFootprint {
  return traceFootprint(mainProgram(parseStrace(lines.join('\n'), 'test.strace')));
}

const anonymous = (length: number, result: string) =>
  `mmap(NULL, ${length}, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = ${result}`;

describe('what a program maps', () => {
  it('is the union over its life, and the most at one time', () => {
    expect(
      footprint(anonymous(8192, '0x10000'), 'munmap(0x10000, 8192) = 0', anonymous(4096, '0x20000')),
    ).toMatchObject({
      everMapped: [
        { start: 0x10, end: 0x12 },
        { start: 0x20, end: 0x21 },
      ],
      peakPages: 2,
      preexisting: [],
    });
  });

  it('counts a page that is mapped twice once', () => {
    expect(
      footprint(
        anonymous(8192, '0x10000'),
        'mmap(0x11000, 8192, PROT_READ, MAP_PRIVATE|MAP_FIXED, 3, 0) = 0x11000',
      ),
    ).toMatchObject({ everMapped: [{ start: 0x10, end: 0x13 }], peakPages: 3 });
  });

  it('moves with mremap, and stays as well where that does not unmap', () => {
    const moved = footprint(
      anonymous(8192, '0x10000'),
      'mremap(0x10000, 8192, 4096, MREMAP_MAYMOVE) = 0x20000',
    );
    expect(moved.peakPages).toBe(2);
    expect(moved.everMapped).toEqual([
      { start: 0x10, end: 0x12 },
      { start: 0x20, end: 0x21 },
    ]);
    const kept = 'mremap(0x10000, 8192, 8192, MREMAP_MAYMOVE|MREMAP_DONTUNMAP) = 0x20000';
    expect(footprint(anonymous(8192, '0x10000'), kept).peakPages).toBe(4);
  });

  it('grows and shrinks with the break, by whole pages', () => {
    const heap = footprint(
      'brk(NULL) = 0x10800',
      'brk(0x13800) = 0x13800',
      'brk(0x11001) = 0x11001',
      'brk(0x12000) = 0x12000',
    );
    expect(heap).toMatchObject({
      everMapped: [{ start: 0x11, end: 0x14 }],
      peakPages: 3,
      preexisting: [],
      heap: { startBytes: 0x10800, initialBreakBytes: 0x10800 },
    });
  });

  it('leaves the break where the kernel refuses to move it', () => {
    expect(footprint('brk(NULL) = 0x10000', 'brk(0x10) = 0x10000').everMapped).toEqual([]);
  });

  it('has no heap where the program never asks for its break', () => {
    expect(footprint(anonymous(4096, '0x10000')).heap).toBeNull();
  });

  it('does not change with calls that fail, which are counted', () => {
    const result = footprint(
      anonymous(4096, '0x10000'),
      anonymous(4096, '-1 ENOMEM (Cannot allocate memory)'),
      'munmap(0x20000, 4096) = -1 EINVAL (Invalid argument)',
    );
    expect(result).toMatchObject({ peakPages: 1, preexisting: [], failedCalls: 2 });
    expect(result.calls).toMatchObject({ mmap: 2, munmap: 1, mprotect: 0 });
  });
});

describe('what must be there before', () => {
  it.each([
    ['mprotect(0x539000, 12288, PROT_READ) = 0'],
    ['madvise(0x539000, 12288, MADV_DONTNEED) = 0'],
    ['munmap(0x539000, 12288) = 0'],
    ['mremap(0x539000, 12288, 12288, MREMAP_MAYMOVE) = 0x20000'],
    ['mremap(0x539000, 12288, 12288, MREMAP_MAYMOVE|MREMAP_DONTUNMAP) = 0x20000'],
  ])('is what %s refers to', (line) => {
    expect(footprint(line).preexisting).toEqual([{ start: 0x539, end: 0x53c }]);
  });

  it('is only what no call has mapped', () => {
    const result = footprint(anonymous(8192, '0x11000'), 'mprotect(0x10000, 20480, PROT_READ) = 0');
    expect(result.preexisting).toEqual([
      { start: 0x10, end: 0x11 },
      { start: 0x13, end: 0x15 },
    ]);
    expect(result.everMapped).toEqual([{ start: 0x10, end: 0x15 }]);
  });

  it('is not what a call has mapped and another has unmapped', () => {
    expect(
      footprint(anonymous(4096, '0x10000'), 'munmap(0x10000, 4096) = 0', 'munmap(0x10000, 4096) = 0')
        .preexisting,
    ).toEqual([]);
  });

  it('counts towards the peak from the beginning, wherever it is found', () => {
    expect(
      footprint(
        anonymous(8192, '0x10000'),
        'munmap(0x10000, 8192) = 0',
        'mprotect(0x539000, 12288, PROT_READ) = 0',
      ).peakPages,
    ).toBe(5);
    expect(footprint('munmap(0x539000, 12288) = 0').peakPages).toBe(3);
  });

  it('is the part of the heap that a recording begun midway sees shrink', () => {
    expect(footprint('brk(NULL) = 0x20000', 'brk(0x1e000) = 0x1e000')).toMatchObject({
      preexisting: [{ start: 0x1e, end: 0x20 }],
      heap: { startBytes: 0x1e000, initialBreakBytes: 0x20000 },
    });
  });
});

/** A model that keeps every page: two passes, the first to find what preexists. */
function naive(events: readonly MmEvent[]): { preexisting: Set<number>; ever: Set<number>; peak: number } {
  const ever = new Set<number>();
  const preexisting = new Set<number>();
  const walk = (touch: (page: number, effect: 'map' | 'unmap' | 'refer') => void) => {
    const span = (start: number, npages: number, effect: 'map' | 'unmap' | 'refer') => {
      for (let page = start; page < start + npages; page++) touch(page, effect);
    };
    for (const { call } of events) {
      if (call.kind === 'mmap') span(call.result ?? 0, call.npages, 'map');
      if (call.kind === 'munmap') span(call.start, call.npages, 'unmap');
      if (call.kind === 'madvise') span(call.start, call.npages, 'refer');
      if (call.kind === 'mremap') {
        span(call.from, call.fromPages, 'unmap');
        span(call.result ?? 0, call.toPages, 'map');
      }
      peak = Math.max(peak, mapped.size);
    }
  };
  let mapped = new Set<number>();
  let peak = 0;
  walk((page, effect) => {
    if (effect !== 'map' && !ever.has(page)) preexisting.add(page);
    ever.add(page);
  });
  mapped = new Set(preexisting);
  peak = mapped.size;
  walk((page, effect) => {
    if (effect === 'map') mapped.add(page);
    if (effect === 'unmap') mapped.delete(page);
  });
  return { preexisting, ever, peak };
}

describe('a footprint', () => {
  it('agrees with a model that keeps every page', () => {
    const start = fc.integer({ min: 0, max: 40 });
    const npages = fc.integer({ min: 1, max: 8 });
    const calls: fc.Arbitrary<MmCall> = fc.oneof(
      fc.tuple(start, npages).map(([result, length]): MmCall => mapping(result, length)),
      fc
        .tuple(start, npages)
        .map(([at, length]): MmCall => ({ kind: 'munmap', start: vpn(at), npages: length })),
      fc
        .tuple(start, npages)
        .map(
          ([at, length]): MmCall => ({ kind: 'madvise', start: vpn(at), npages: length, advice: 'dontneed' }),
        ),
      fc
        .tuple(start, npages, start, npages)
        .map(([from, length, to, newLength]): MmCall => moving(from, length, to, newLength)),
    );
    fc.assert(
      fc.property(fc.array(calls, { maxLength: 30 }), (made) => {
        const events = made.map((call, i): MmEvent => ({ pid: 1, atUs: i, line: i + 1, call, errno: null }));
        const result = traceFootprint(programOf(events));
        const model = naive(events);
        expect(pagesOf(result.preexisting)).toEqual(sorted(model.preexisting));
        expect(pagesOf(result.everMapped)).toEqual(sorted(model.ever));
        expect(result.peakPages).toBe(model.peak);
      }),
    );
  });
});

function mapping(result: number, npages: number): MmCall {
  const flags = {
    shared: false,
    anonymous: true,
    fixed: true,
    noReplace: false,
    noreserve: false,
    stack: false,
    growsDown: false,
    populate: false,
    locked: false,
    hugetlb: false,
  };
  const prot = { read: true, write: true, exec: false };
  return {
    kind: 'mmap',
    hint: vpn(result),
    npages,
    prot,
    flags,
    fd: -1,
    offsetPages: 0,
    result: vpn(result),
  };
}

function moving(from: number, fromPages: number, to: number, toPages: number): MmCall {
  const flags = { mayMove: true, fixed: true, dontUnmap: false };
  return { kind: 'mremap', from: vpn(from), fromPages, toPages, flags, target: vpn(to), result: vpn(to) };
}

function programOf(events: readonly MmEvent[]): MmProgram {
  return {
    fileName: 'model',
    leader: 1,
    pids: [1],
    events,
    withoutResult: 0,
    dropped: { events: 0, pids: [] },
  };
}

function pagesOf(list: TraceFootprint['everMapped']): readonly number[] {
  return list.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i));
}

function sorted(set: ReadonlySet<number>): readonly number[] {
  return [...set].sort((a, b) => a - b);
}
