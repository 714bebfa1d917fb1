/** Splits the time of invalidations into their parts, from the trace of a run. */

import { type NotifyEvent, notifyEventName } from '../../mm/mirror/mmuNotifier.js';
import { readTimeline, type Span, type TimelineSink } from '../../observe/trace/timeline.js';
import type { Trace } from '../../observe/trace/trace.js';
import { usualOnes } from './usualOnes.js';

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

/** Mean over the usual ones of all invalidations for the event; null where there was none. */
export function invalidationSplit(trace: Trace, event: NotifyEvent): InvalidationSplit | null {
  const reader = new SplitReader(notifyEventName(event));
  readTimeline(trace, reader);
  const usual = usualOnes(reader.done);
  if (usual.length === 0) return null;
  const mean = (of: (one: Parts) => number): number =>
    usual.reduce((sum, one) => sum + of(one), 0) / usual.length;
  const partsNs = {
    host: mean(({ wholeNs, lockWait, devices }) => wholeNs - lockWait - devices),
    lockWait: mean(({ lockWait }) => lockWait),
    devices: mean(({ devices }) => devices),
  };
  return { count: usual.length, wholeNs: mean(({ wholeNs }) => wholeNs), partsNs };
}

interface Parts {
  wholeNs: number;
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
      this.open.set(keyOf(span), { wholeNs: 0, lockWait: 0, devices: 0 });
  }

  onEnd(span: Span, endNs: number): void {
    const parts = this.open.get(keyOf(span));
    if (parts === undefined) return;
    const tookNs = endNs - span.beginNs;
    if (span.name === 'callbacks') {
      this.done.push({ ...parts, wholeNs: tookNs });
      this.open.delete(keyOf(span));
    } else if (span.category === 'lock') {
      parts.lockWait += tookNs;
    } else if (span.category === 'wait') {
      parts.devices += tookNs;
    }
  }

  onInstant(): void {}

  onCounter(): void {}
}

function keyOf({ actor, lane }: Span): string {
  return `${actor}/${lane}`;
}
