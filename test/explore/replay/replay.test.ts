/** A replayed failure: it fails again, and each step of it is told. */

import { describe, expect, it } from 'vitest';
import {
  type ReplayLimits,
  type ReplayResult,
  replay,
  type TraceLine,
} from '../../../src/explore/replay/replay.js';
import { TraceColumns } from '../../../src/report/traceColumns.js';
import { someFailure } from '../someFailure.js';

const TO_THE_END = { stopAt: Number.POSITIVE_INFINITY, withPages: false, mustFit: true };

interface Told extends ReplayResult {
  readonly actors: readonly string[];
  readonly lines: readonly TraceLine[];
}

function told(id: string, limits: ReplayLimits): Told {
  const lines: TraceLine[] = [];
  let actors: readonly string[] = [];
  const result = replay(someFailure(id), limits, {
    begin: (names) => {
      actors = names;
    },
    line: (line) => lines.push(line),
  });
  return { ...result, actors, lines };
}

const textsOf = (lines: readonly TraceLine[], kind: TraceLine['kind']): string[] =>
  lines.filter((line) => line.kind === kind).map(({ text }) => text);

describe('a replay', () => {
  const whole = told('B107', TO_THE_END);

  it('fails as it did, and tells each step once, with the actor that takes it', () => {
    expect(whole.verdict).toEqual(someFailure('B107').verdict);
    expect(whole.isExact).toBe(true);
    expect(whole.actors).toEqual(['coordinator', 'gpu0', 'gpu1', 'cpu0', 'cpu1', 'cpu2']);
    const steps = whole.lines.filter(({ kind }) => kind === 'step').map(({ step }) => step);
    expect(steps).toEqual(Array.from({ length: whole.steps }, (_, i) => i + 1));
  });

  it('tells what is called, locked, started and woken, and for what and whom one waits', () => {
    const text = textsOf(whole.lines, 'step').join('\n');
    expect(text).toMatch(/^gpu\.fault#\d+: .*gpusvm\.findOrInsert address=0x200000000000/m);
    expect(text).toMatch(/sim\.deliver from gpu0: gpu\.fault; starts gpu\.fault#\d+/);
    expect(text).toMatch(/takes mmap_lock of mm 1 for read/);
    expect(text).toMatch(/releases mmap_lock of mm 1/);
    expect(text).toMatch(/wakes gpu\.fault#\d+/);
    expect(text).toMatch(/WAITS for a reply of gpu\d to host\.\w+$/m);
    expect(text).toMatch(/; ends$/m);
  });

  it('ends with what everybody holds and waits for', () => {
    const standing = textsOf(whole.lines, 'standing').join('\n');
    expect(standing).toMatch(/^\w+\.\w+#\d+ can go on; holds \w+.* for read/m);
    expect(standing).toMatch(/waits for a reply of the coordinator to (\w+\.\w+), held by \1#\d+/);
  });

  it('stops before a step, and says where everybody is', () => {
    const result = told('B107', { stopAt: 50, withPages: false, mustFit: true });
    expect([result.verdict, result.steps, result.isStopped]).toEqual([null, 49, true]);
    expect(textsOf(result.lines, 'standing').length).toBeGreaterThan(0);
  });

  it('does not stop where the run ends before that', () => {
    const result = told('B107', { stopAt: 1e6, withPages: false, mustFit: true });
    expect([result.verdict?.kind, result.isStopped]).toEqual(['invariant', false]);
  });

  it('tells how each page changes, and goes the same way', () => {
    const verbose = told('B107', { ...TO_THE_END, withPages: true, mustFit: true });
    expect(verbose.verdict).toEqual(whole.verdict);
    expect(textsOf(verbose.lines, 'step')).toEqual(textsOf(whole.lines, 'step'));
    const pages = textsOf(verbose.lines, 'page').join('\n');
    expect(pages).toMatch(/^mm 1 0x200000000000: cpu present pfn 0x\w+ w.* \(ram, refs \d, maps 1\)/m);
    expect(pages).toMatch(/cpu migration .*locked by #\d+/);
    expect(pages).toMatch(/gpu\d dma 0x\w+/);
    expect(pages).toMatch(/gpu\d entry r[ow] /);
  });
});

describe('the columns of a trace', () => {
  const line = { step: 7, actor: 2 as TraceLine['actor'], kind: 'step', text: 'a b c d e f' } as const;

  it('name their actors, and begin where the name stood', () => {
    const columns = new TraceColumns(Number.POSITIVE_INFINITY);
    const head = columns.head(['coordinator', 'gpu0', 'cpu0']).split('\n');
    const [row] = columns.line(line).split('\n');
    expect(row).toBe('     7  |   |   a b c d e f');
    expect(head[3].indexOf('cpu0')).toBe(row.indexOf('a b'));
  });

  it('go on in the next line on a narrow terminal, and lose nothing', () => {
    const text = Array.from({ length: 30 }, (_, i) => `word${i}`).join(' ');
    const rows = new TraceColumns(60)
      .line({ ...line, text })
      .trimEnd()
      .split('\n');
    expect(rows.length).toBeGreaterThan(3);
    expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(60);
    expect(rows.map((row) => row.slice(16).trim()).join(' ')).toBe(text);
  });
});
