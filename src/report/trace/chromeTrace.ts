/** A trace as Chrome's JSON, which many viewers read: the fallback where Perfetto's own format is not taken. */

import type { EventArguments } from '../../observe/trace/eventArguments.js';
import { type Instant, readTimeline, type Span, type TimelineSink } from '../../observe/trace/timeline.js';
import type { Trace } from '../../observe/trace/trace.js';
import type { TextOrBytes } from './traceFormat.js';

const NS_PER_US = 1000;
const FLUSH_CHARS = 1 << 20;
/** Line numbers must not be negative. */
const FIRST_LANE = 1;

/** A slice that a flow goes through. */
interface FlowPlace {
  readonly pid: number;
  readonly lane: number;
  readonly timeNs: number;
  readonly isFirst: boolean;
}

/** Writes the whole trace, piece by piece. */
export function writeChromeTrace(trace: Trace, write: (piece: TextOrBytes) => void): void {
  const sink = new ChromeSink(trace, write);
  readTimeline(trace, sink);
  sink.end();
}

class ChromeSink implements TimelineSink {
  private text = '{"displayTimeUnit":"ns","traceEvents":[\n';
  private isFirst = true;
  /** The last place of each flow, which is told when the next one is known, or the end: a flow has both ends or is none. */
  private readonly flows = new Map<number, FlowPlace>();
  private readonly named = new Set<string>();

  constructor(
    { actors }: Trace,
    private readonly write: (piece: TextOrBytes) => void,
  ) {
    actors.forEach((name, pid) => {
      this.put({ ph: 'M', pid, name: 'process_name', args: { name } });
      this.put({ ph: 'M', pid, name: 'process_sort_index', args: { sort_index: pid } });
    });
  }

  onBegin({ actor, lane, beginNs, flow }: Span): void {
    this.nameLine(actor, lane);
    const last = this.flows.get(flow);
    if (last !== undefined) this.putFlow(flow, last, last.isFirst ? 's' : 't');
    this.flows.set(flow, { pid: actor, lane, timeNs: beginNs, isFirst: last === undefined });
  }

  onEnd(span: Span, endNs: number, args: EventArguments): void {
    const { name, category, actor, lane, beginNs } = span;
    this.put({
      ph: 'X',
      pid: actor,
      tid: lane + FIRST_LANE,
      ts: beginNs / NS_PER_US,
      dur: (endNs - beginNs) / NS_PER_US,
      name,
      cat: category,
      args: { ...span.args, ...args },
    });
  }

  onInstant({ name, actor, lane, timeNs, args }: Instant): void {
    this.nameLine(actor, lane);
    this.put({
      ph: 'i',
      s: 't',
      pid: actor,
      tid: lane + FIRST_LANE,
      ts: timeNs / NS_PER_US,
      name,
      cat: 'step',
      args,
    });
  }

  onCounter(actor: number, name: string, timeNs: number, value: number): void {
    this.put({ ph: 'C', pid: actor, ts: timeNs / NS_PER_US, name, args: { value } });
  }

  end(): void {
    for (const [flow, last] of this.flows) if (!last.isFirst) this.putFlow(flow, last, 'f');
    this.write(`${this.text}\n]}\n`);
    this.text = '';
  }

  private putFlow(id: number, { pid, lane, timeNs }: FlowPlace, ph: 's' | 't' | 'f'): void {
    const tid = lane + FIRST_LANE;
    this.put({ ph, id, pid, tid, ts: timeNs / NS_PER_US, name: 'flow', cat: 'flow', bp: 'e' });
  }

  /** As in Perfetto's format. */
  private nameLine(pid: number, lane: number): void {
    const key = `${pid}.${lane}`;
    if (this.named.has(key)) return;
    this.named.add(key);
    const tid = lane + FIRST_LANE;
    this.put({
      ph: 'M',
      pid,
      tid,
      name: 'thread_name',
      args: { name: lane < 0 ? 'events' : `tasks ${lane}` },
    });
    this.put({ ph: 'M', pid, tid, name: 'thread_sort_index', args: { sort_index: tid } });
  }

  private put(event: object): void {
    this.text += `${this.isFirst ? '' : ',\n'}${JSON.stringify(event)}`;
    this.isFirst = false;
    if (this.text.length < FLUSH_CHARS) return;
    this.write(this.text);
    this.text = '';
  }
}
