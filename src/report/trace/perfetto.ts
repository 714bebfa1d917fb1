/** A trace in Perfetto's own format: packets with a track for each line of an actor, counters, flows, and texts written once. */

import { PbfWriter } from 'pbf';
import type { EventArguments } from '../../observe/trace/eventArguments.js';
import { type Instant, readTimeline, type Span, type TimelineSink } from '../../observe/trace/timeline.js';
import type { Trace } from '../../observe/trace/trace.js';
import type { TextOrBytes } from './traceFormat.js';

/** Field numbers of perfetto/trace/*.proto, by message. */
const Packet = { timestamp: 8, sequence: 10, event: 11, interned: 12, flags: 13, track: 60 } as const;
const Track = { uuid: 1, name: 2, process: 3, parent: 5, counter: 8 } as const;
const Process = { pid: 1, name: 6 } as const;
const Event = {
  categories: 3,
  annotations: 4,
  type: 9,
  name: 10,
  track: 11,
  counter: 30,
  flows: 47,
} as const;
const Annotation = { name: 1, integer: 4, double: 5, text: 6 } as const;
const Interned = { categories: 1, names: 2, annotations: 3 } as const;
const Entry = { id: 1, text: 2 } as const;

const Counter = { unit: 3 } as const;
const CounterUnit = { count: 2, bytes: 3 } as const;
const EventType = { begin: 1, end: 2, instant: 3, counter: 4 } as const;
/** The first packet starts a new set of texts; every later one needs those before it. */
const Flags = { cleared: 1, needed: 2 } as const;

/** All packets come from one writer, so that texts are numbered once. */
const SEQUENCE = 1;
const FLUSH_BYTES = 1 << 20;

/** Numbers of tracks: actors from 1, then the lines and counters of each, which are fewer than this. */
const TRACKS_PER_ACTOR = 1 << 20;
const COUNTERS_AT = 1 << 19;

/** Writes the whole trace, piece by piece. */
export function writePerfetto(trace: Trace, write: (piece: TextOrBytes) => void): void {
  const sink = new PerfettoSink(trace, write);
  readTimeline(trace, sink);
  sink.flush();
}

/** Texts of one kind, each sent before its number is first used. */
class InternedTexts {
  private readonly numbers = new Map<string, number>();
  /** Numbered since the last packet. */
  fresh: [number, string][] = [];

  numberOf(text: string): number {
    const known = this.numbers.get(text);
    if (known !== undefined) return known;
    const number = this.numbers.size + 1;
    this.numbers.set(text, number);
    this.fresh.push([number, text]);
    return number;
  }
}

interface OneEvent {
  readonly type: number;
  readonly track: number;
  readonly timeNs: number;
  readonly name?: string;
  readonly category?: string;
  readonly args?: EventArguments;
  readonly flow?: number;
  readonly value?: number;
}

class PerfettoSink implements TimelineSink {
  private pbf = new PbfWriter();
  private readonly tracks = new Set<number>();
  private readonly names = new InternedTexts();
  private readonly categories = new InternedTexts();
  private readonly annotations = new InternedTexts();
  private readonly counters = new InternedTexts();

  constructor(
    { actors }: Trace,
    private readonly write: (piece: TextOrBytes) => void,
  ) {
    this.packet((pbf) => pbf.writeVarintField(Packet.flags, Flags.cleared));
    actors.forEach((name, actor) => {
      this.packet((pbf) =>
        pbf.writeMessage(
          Packet.track,
          (_, track) => {
            track.writeVarintField(Track.uuid, actorTrack(actor));
            track.writeMessage(Track.process, writeProcess, { pid: actor + 1, name });
          },
          null,
        ),
      );
    });
  }

  onBegin({ name, category, actor, lane, beginNs, args, flow }: Span): void {
    this.event({
      type: EventType.begin,
      track: this.laneTrack(actor, lane),
      timeNs: beginNs,
      name,
      category,
      args,
      flow,
    });
  }

  onEnd({ actor, lane }: Span, timeNs: number, args: EventArguments): void {
    this.event({ type: EventType.end, track: this.laneTrack(actor, lane), timeNs, args });
  }

  onInstant({ name, actor, lane, timeNs, args, flow }: Instant): void {
    const track = this.laneTrack(actor, lane);
    this.event({ type: EventType.instant, track, timeNs, name, category: 'step', args, flow });
  }

  onCounter(actor: number, name: string, timeNs: number, value: number): void {
    this.event({ type: EventType.counter, track: this.counterTrack(actor, name), timeNs, value });
  }

  flush(): void {
    const bytes = this.pbf.finish();
    if (bytes.length > 0) this.write(bytes);
    this.pbf = new PbfWriter();
  }

  private event(event: OneEvent): void {
    const { timeNs, name, category, args = {} } = event;
    const nameId = name === undefined ? 0 : this.names.numberOf(name);
    const categoryId = category === undefined ? 0 : this.categories.numberOf(category);
    const argIds = Object.entries(args).map(
      ([key, value]) => [this.annotations.numberOf(key), value] as const,
    );
    this.packet((pbf) => {
      pbf.writeVarintField(Packet.timestamp, Math.round(timeNs));
      pbf.writeVarintField(Packet.flags, Flags.needed);
      this.writeFreshTexts(pbf);
      pbf.writeMessage(
        Packet.event,
        (_, message) => {
          if (categoryId > 0) message.writeVarintField(Event.categories, categoryId);
          for (const [id, value] of argIds)
            message.writeMessage(Event.annotations, writeAnnotation, { id, value });
          message.writeVarintField(Event.type, event.type);
          if (nameId > 0) message.writeVarintField(Event.name, nameId);
          message.writeVarintField(Event.track, event.track);
          if (event.value !== undefined) message.writeVarintField(Event.counter, Math.round(event.value));
          if (event.flow !== undefined && event.flow > 0) message.writeFixed64Field(Event.flows, event.flow);
        },
        null,
      );
    });
  }

  /** The repeated field 1 of a trace. */
  private packet(fill: (pbf: PbfWriter) => void): void {
    this.pbf.writeMessage(
      1,
      (_, packet) => {
        fill(packet);
        packet.writeVarintField(Packet.sequence, SEQUENCE);
      },
      null,
    );
    if (this.pbf.pos >= FLUSH_BYTES) this.flush();
  }

  private writeFreshTexts(pbf: PbfWriter): void {
    const { names, categories, annotations } = this;
    if (names.fresh.length + categories.fresh.length + annotations.fresh.length === 0) return;
    pbf.writeMessage(
      Packet.interned,
      (_, interned) => {
        for (const entry of categories.fresh) interned.writeMessage(Interned.categories, writeEntry, entry);
        for (const entry of names.fresh) interned.writeMessage(Interned.names, writeEntry, entry);
        for (const entry of annotations.fresh) interned.writeMessage(Interned.annotations, writeEntry, entry);
      },
      null,
    );
    names.fresh = [];
    categories.fresh = [];
    annotations.fresh = [];
  }

  private laneTrack(actor: number, lane: number): number {
    const uuid = (actor + 1) * TRACKS_PER_ACTOR + lane + 1;
    this.describe(uuid, lane < 0 ? 'events' : `tasks ${lane}`, actor, false);
    return uuid;
  }

  private counterTrack(actor: number, name: string): number {
    const uuid = (actor + 1) * TRACKS_PER_ACTOR + COUNTERS_AT + this.counters.numberOf(name);
    this.describe(uuid, name, actor, true);
    return uuid;
  }

  private describe(uuid: number, name: string, actor: number, isCounter: boolean): void {
    if (this.tracks.has(uuid)) return;
    this.tracks.add(uuid);
    this.packet((pbf) =>
      pbf.writeMessage(
        Packet.track,
        (_, track) => {
          track.writeVarintField(Track.uuid, uuid);
          track.writeStringField(Track.name, name);
          track.writeVarintField(Track.parent, actorTrack(actor));
          if (isCounter) track.writeMessage(Track.counter, writeUnit, name);
        },
        null,
      ),
    );
  }
}

function actorTrack(actor: number): number {
  return actor + 1;
}

/** Counters are named by what they count. */
function writeUnit(name: string, pbf: PbfWriter): void {
  const isBytes = /bytes (carried|under way)$/.test(name);
  pbf.writeVarintField(Counter.unit, isBytes ? CounterUnit.bytes : CounterUnit.count);
}

function writeProcess({ pid, name }: { pid: number; name: string }, pbf: PbfWriter): void {
  pbf.writeVarintField(Process.pid, pid);
  pbf.writeStringField(Process.name, name);
}

function writeEntry([id, text]: [number, string], pbf: PbfWriter): void {
  pbf.writeVarintField(Entry.id, id);
  pbf.writeStringField(Entry.text, text);
}

function writeAnnotation({ id, value }: { id: number; value: number | string }, pbf: PbfWriter): void {
  pbf.writeVarintField(Annotation.name, id);
  if (typeof value === 'string') pbf.writeStringField(Annotation.text, value);
  else if (Number.isInteger(value)) pbf.writeVarintField(Annotation.integer, value);
  else pbf.writeDoubleField(Annotation.double, value);
}
