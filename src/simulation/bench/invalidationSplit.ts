/** Splits the time of invalidations into their parts, from the trace of a run. */

import { type NotifyEvent, notifyEventName } from '../../mm/mirror/mmuNotifier.js';
import { readTimeline, type Span, type TimelineSink } from '../../observe/trace/timeline.js';
import type { Trace } from '../../observe/trace/trace.js';

export const invalidationParts = ['host', 'lockWait', 'devices'] as const;
/** `host`: the callbacks' own work; `lockWait`: for locks that others hold; `devices`: for their acknowledgement. */
export type InvalidationPart = (typeof invalidationParts)[number];

export interface InvalidationSplit {
  /** Invalidations that it is the mean of. */
  readonly count: number;
  /** From its start to the return of the last callback; the parts add up to it. */
  readonly wholeNs: number;
  readonly partsNs: Readonly<Record<InvalidationPart, number>>;
}

/**
 * Mean over the middle half, by duration, of the later half of all invalidations for the event: the first ones are interpreted, and a few that met a
 * device in the middle of something take a hundred times as long as all others. Null where there was none.
 */
export function invalidationSplit(trace: Trace, event: NotifyEvent): InvalidationSplit | null {
  const reader = new SplitReader(notifyEventName(event));
  readTimeline(trace, reader);
  const later = reader.done.slice(reader.done.length >> 1);
  const usual = middleHalf(later);
  if (usual.length === 0) return null;
  const mean = (of: (one: Parts) => number): number =>
    usual.reduce((sum, one) => sum + of(one), 0) / usual.length;
  const partsNs = {
    host: mean(({ whole, lockWait, devices }) => whole - lockWait - devices),
    lockWait: mean(({ lockWait }) => lockWait),
    devices: mean(({ devices }) => devices),
  };
  return { count: usual.length, wholeNs: mean(({ whole }) => whole), partsNs };
}

function middleHalf(all: readonly Parts[]): Parts[] {
  const sorted = [...all].sort((a, b) => a.whole - b.whole);
  const quarter = sorted.length >> 2;
  return sorted.slice(quarter, sorted.length - quarter);
}

interface Parts {
  whole: number;
  lockWait: number;
  devices: number;
}

/** Waits do not overlap within one line of work, and its callbacks are one phase of an invalidation. */
class SplitReader implements TimelineSink {
  readonly done: Parts[] = [];
  private readonly open = new Map<string, Parts>();
  /** By line of work: what its invalidation is for. */
  private readonly events = new Map<string, string>();

  constructor(private readonly event: string) {}

  onBegin(span: Span): void {
    if (span.name === 'invalidate') this.events.set(keyOf(span), String(span.args.event));
    if (span.name === 'callbacks' && this.events.get(keyOf(span)) === this.event)
      this.open.set(keyOf(span), { whole: 0, lockWait: 0, devices: 0 });
  }

  onEnd(span: Span, endNs: number): void {
    const parts = this.open.get(keyOf(span));
    if (parts === undefined) return;
    const tookNs = endNs - span.beginNs;
    if (span.name === 'callbacks') {
      this.done.push({ ...parts, whole: tookNs });
      this.open.delete(keyOf(span));
    } else if (span.category === 'wait') {
      if (/ for (read|write)$/.test(span.name)) parts.lockWait += tookNs;
      else parts.devices += tookNs;
    }
  }

  onInstant(): void {}

  onCounter(): void {}
}

function keyOf({ actor, lane }: Span): string {
  return `${actor}/${lane}`;
}
