/** The forms of a trace, read back as another program would: without the code that wrote them. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PbfReader } from 'pbf';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Trace } from '../../../src/observe/trace/trace.js';
import { readTraceFile } from '../../../src/report/trace/traceFile.js';
import { checkTraceName, writeTrace } from '../../../src/report/trace/traceFormat.js';
import { recordedRun } from '../../observe/trace/recordedRun.js';
import { tempFolder } from '../../tempFolder.js';

let trace: Trace;
const folder = tempFolder();
beforeAll(async () => {
  trace = await recordedRun();
});

/** Written and read once: tests look, and change nothing. */
let perfetto: Perfetto;
beforeAll(() => {
  perfetto = readPerfetto(written('a.pftrace'));
});

function written(name: string): Buffer {
  const path = join(folder, name);
  writeTrace('--trace', path, trace);
  return readFileSync(path);
}

interface Slice {
  readonly ts: number;
  readonly dur: number;
}

interface PerfettoEvent {
  timestamp: number;
  type: number;
  track: number;
  name: number;
  flows: number[];
}

interface Perfetto {
  tracks: Map<number, { name: string; parent: number; process: string; unit: number }>;
  names: Map<number, string>;
  events: PerfettoEvent[];
}

function readPerfetto(bytes: Buffer): Perfetto {
  const found: Perfetto = { tracks: new Map(), names: new Map(), events: [] };
  new PbfReader(bytes).readFields((tag, _, pbf) => {
    if (tag !== 1) throw new Error(`field ${tag} of a trace`);
    const end = pbf.readVarint() + pbf.pos;
    const event: PerfettoEvent = { timestamp: 0, type: 0, track: 0, name: 0, flows: [] };
    pbf.readFields(
      (field, _packet, packet) => {
        if (field === 8) event.timestamp = packet.readVarint();
        else if (field === 11) readEvent(packet, event);
        else if (field === 12) readInterned(packet, found.names);
        else if (field === 60) readTrack(packet, found);
      },
      null,
      end,
    );
    if (event.type > 0) found.events.push(event);
  }, null);
  return found;
}

function readEvent(pbf: PbfReader, event: PerfettoEvent): void {
  const end = pbf.readVarint() + pbf.pos;
  pbf.readFields(
    (field, _, inner) => {
      if (field === 9) event.type = inner.readVarint();
      else if (field === 10) event.name = inner.readVarint();
      else if (field === 11) event.track = inner.readVarint();
      else if (field === 47) event.flows.push(inner.readFixed64());
    },
    null,
    end,
  );
}

function readInterned(pbf: PbfReader, names: Map<number, string>): void {
  const end = pbf.readVarint() + pbf.pos;
  pbf.readFields(
    (field, _, inner) => {
      if (field !== 2) return;
      const entryEnd = inner.readVarint() + inner.pos;
      const entry = { id: 0, text: '' };
      inner.readFields(
        (key, _entry, one) => {
          if (key === 1) entry.id = one.readVarint();
          else if (key === 2) entry.text = one.readString();
        },
        null,
        entryEnd,
      );
      names.set(entry.id, entry.text);
    },
    null,
    end,
  );
}

function readTrack(pbf: PbfReader, { tracks }: Perfetto): void {
  const end = pbf.readVarint() + pbf.pos;
  const track = { uuid: 0, name: '', parent: 0, process: '', unit: 0 };
  pbf.readFields(
    (field, _, inner) => {
      if (field === 1) track.uuid = inner.readVarint();
      else if (field === 2) track.name = inner.readString();
      else if (field === 5) track.parent = inner.readVarint();
      else if (field === 8) {
        const counterEnd = inner.readVarint() + inner.pos;
        inner.readFields(
          (key, _counter, one) => {
            if (key === 3) track.unit = one.readVarint();
          },
          null,
          counterEnd,
        );
      } else if (field === 3) {
        const processEnd = inner.readVarint() + inner.pos;
        inner.readFields(
          (key, _process, one) => {
            if (key === 6) track.process = one.readString();
          },
          null,
          processEnd,
        );
      }
    },
    null,
    end,
  );
  tracks.set(track.uuid, track);
}

describe('Perfetto', () => {
  it('has counters of bytes and of numbers', () => {
    const counters = [...perfetto.tracks.values()].filter(({ unit }) => unit !== 0);
    const [bytes, count] = [3, 2];
    expect(counters.length).toBeGreaterThan(2);
    for (const { name, unit } of counters) expect(unit, name).toBe(name.includes(': bytes ') ? bytes : count);
    expect(counters.map(({ name }) => name)).toContain('VRAM pages in use');
  });

  it('has a process for each actor, and every event on a track of one', () => {
    const { tracks, events } = perfetto;
    const processes = [...tracks.values()].map(({ process }) => process).filter((name) => name !== '');
    expect(processes).toEqual(trace.actors);
    const stray = events.filter(({ track }) => !tracks.get(tracks.get(track)?.parent ?? 0)?.process);
    expect(stray).toEqual([]);
  });

  it('ends every slice that it begins, track by track, in order of time', () => {
    const { events } = perfetto;
    const depth = new Map<number, number>();
    const last = new Map<number, number>();
    for (const { type, track, timestamp } of events) {
      const change = type === 1 ? 1 : type === 2 ? -1 : 0;
      const now = (depth.get(track) ?? 0) + change;
      if (now < 0 || timestamp < (last.get(track) ?? 0)) expect.fail(`at ${timestamp} on track ${track}`);
      last.set(track, timestamp);
      depth.set(track, now);
    }
    expect([...depth.values()].filter((open) => open !== 0)).toEqual([]);
  });

  it('names what it shows, and ties it together by flows', () => {
    const { events, names } = perfetto;
    const shown = new Set(events.map(({ name }) => names.get(name)));
    for (const name of ['GPU fault', 'migrate to device', 'invalidate', 'device.faultRaised'])
      expect(shown).toContain(name);
    const nameless = events.filter(({ type, name }) => (type === 1 || type === 3) && !names.has(name));
    expect(nameless).toEqual([]);
    const faults = events.filter(({ name }) => names.get(name) === 'GPU fault');
    const raised = events.filter(({ name }) => names.get(name) === 'device.faultRaised');
    const raisedFlows = new Set(raised.flatMap(({ flows }) => flows));
    expect(faults.some(({ flows }) => flows.some((flow) => raisedFlows.has(flow)))).toBe(true);
  });
});

describe('Chrome JSON', () => {
  it('is a document whose slices lie within one another on each line', () => {
    const { traceEvents } = JSON.parse(written('a.json').toString());
    const slices = traceEvents.filter(({ ph }: { ph: string }) => ph === 'X');
    expect(slices.length).toBeGreaterThan(1000);
    const lines = new Map<string, Slice[]>();
    for (const { pid, tid, ts, dur } of slices) {
      const key = `${pid}.${tid}`;
      lines.set(key, [...(lines.get(key) ?? []), { ts, dur }].slice(-50));
    }
    const slack = 1e-6;
    const apart = (a: Slice, b: Slice): boolean => a.ts + a.dur <= b.ts + slack;
    const within = (a: Slice, b: Slice): boolean =>
      a.ts >= b.ts - slack && a.ts + a.dur <= b.ts + b.dur + slack;
    for (const line of lines.values()) {
      for (const a of line) {
        for (const b of line) {
          if (!apart(a, b) && !apart(b, a) && !within(a, b) && !within(b, a))
            expect.fail(`${a.ts} and ${b.ts}`);
        }
      }
    }
  });

  it('names every line once', () => {
    const { traceEvents } = JSON.parse(written('c.json').toString());
    const lineOf = ({ pid, tid }: { pid: number; tid: number }): string => `${pid}.${tid}`;
    const named: string[] = traceEvents
      .filter(({ name }: { name: string }) => name === 'thread_name')
      .map(lineOf);
    const used = traceEvents.filter(({ ph }: { ph: string }) => ph === 'X' || ph === 'i').map(lineOf);
    expect(new Set(named).size).toBe(named.length);
    expect(new Set(used)).toEqual(new Set(named));
  });

  it('begins each flow once and ends it once, on a slice', () => {
    const { traceEvents } = JSON.parse(written('b.json').toString());
    const idsOf = (phase: string): number[] =>
      traceEvents.filter(({ ph }: { ph: string }) => ph === phase).map(({ id }: { id: number }) => id);
    const [starts, ends] = [idsOf('s'), idsOf('f')];
    expect(starts.length).toBeGreaterThan(0);
    expect(new Set(starts).size).toBe(starts.length);
    expect(ends.toSorted((a, b) => a - b)).toEqual(starts.toSorted((a, b) => a - b));
    const begun = new Set(starts);
    expect(idsOf('t').filter((id) => !begun.has(id))).toEqual([]);
  });
});

describe("svmsim's own file", () => {
  it('gives the same trace back', () => {
    written('a.svmtrace');
    const { trace: read } = readTraceFile(join(folder, 'a.svmtrace'));
    expect({ ...read, rings: [] }).toEqual({ ...trace, rings: [] });
    const words = (rings: Trace['rings']) =>
      rings.map((chunks) => chunks.flatMap((chunk) => [...chunk.subarray(0, 999)]).slice(0, 999));
    expect(words(read.rings)).toEqual(words(trace.rings));
  });

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['cut short', (bytes) => bytes.subarray(0, bytes.length - 5)],
    [
      'of another format',
      (bytes) => Buffer.concat([bytes.subarray(0, 8), Buffer.from([9, 0, 0, 0]), bytes.subarray(12)]),
    ],
    ['something else', () => Buffer.from('{"traceEvents":[]}')],
    ['empty', () => Buffer.alloc(0)],
    [
      'with a damaged head',
      (bytes) => Buffer.concat([bytes.subarray(0, 16), Buffer.alloc(64, 0xc1), bytes.subarray(80)]),
    ],
  ])('is refused when it is %s', (_what, damage) => {
    const path = join(folder, 'bad.svmtrace');
    writeFileSync(path, damage(written('whole.svmtrace')));
    expect(() => readTraceFile(path)).toThrow(/bad\.svmtrace: found .*, allowed: /);
  });
});

it('a name that says no format is refused', () => {
  expect(() => checkTraceName('--trace', 'run.txt')).toThrow(/\.pftrace \(Perfetto\)/);
  expect(() => checkTraceName('--trace', 'run.pftrace')).not.toThrow();
});
