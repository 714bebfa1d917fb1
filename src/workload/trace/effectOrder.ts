/** Puts the overlapping calls of several threads into an order in which they can have taken effect. */

import type { MmCall, MmEvent } from './mmCall.js';

/** An event while the trace is being read: its process and time may change until the end. */
export type DraftEvent = { -readonly [Key in keyof MmEvent]: MmEvent[Key] };

/** Pages; the end is not one of them. */
export interface PageSpan {
  readonly start: number;
  readonly end: number;
}

/** Whether a call that others overlap stands where it starts or where it ends; see EffectOrder for why. */
export type EffectPoint = 'start' | 'end';

/** A call's place among all others; without an event until the call has ended, or for good where it never does. */
export interface Place {
  event: DraftEvent | null;
  readonly effect: EffectPoint | null;
  /** What the call gives back although it stands where it ends; null for nothing. */
  readonly gives: PageSpan | null;
  readonly begunAt: number;
  endedAt: number;
  /** Calls that gave back what this one was handed, so that they stand before it; null for none. */
  before: Place[] | null;
}

/**
 * A trace tells when a call started and when it ended; it took effect somewhere between. What a call gives back (munmap) others may be
 * handed before it ends, so it stands where it starts. What a call hands out (mmap, brk) nobody can use before it ends, so it stands
 * where it ends. One that does both (mremap) stands where it ends, or before the first call that was handed its old pages meanwhile.
 * A program that races with itself for the same pages has no order that a trace could tell.
 */
export class EffectOrder {
  private readonly places: Place[] = [];
  /** Calls under way with something in `gives`, the oldest first: at most one per thread. */
  private readonly giving = new Set<Place>();
  /** Such calls that ended while others were under way, in the order of their ends. */
  private gave: Place[] = [];
  private now = 0;

  begin(effect: EffectPoint | null, gives: PageSpan | null): Place {
    const place: Place = { event: null, effect, gives, begunAt: this.now++, endedAt: 0, before: null };
    if (effect === 'start') this.places.push(place);
    if (gives !== null) this.giving.add(place);
    return place;
  }

  /** The call has ended. */
  end(place: Place, event: DraftEvent): void {
    place.event = event;
    place.endedAt = this.now++;
    if (place.effect !== 'start') this.places.push(place);
    this.giving.delete(place);
    this.putGiversBefore(place, handedOut(event.call));
    this.retire(place);
  }

  /** The call's result is unknown, so it is no event. */
  abandon(place: Place): void {
    this.giving.delete(place);
  }

  /** All events that have ended, in order. */
  events(): readonly DraftEvent[] {
    const events: DraftEvent[] = [];
    const listed = new Set<Place>();
    for (const place of this.places) list(place, events, listed);
    return events;
  }

  /** Nobody else can own pages that were handed to `taker` before it ends: who gave them up meanwhile did so before it took them. */
  private putGiversBefore(taker: Place, handed: PageSpan | null): void {
    if (handed === null) return;
    for (const giver of this.giving) if (overlaps(giver.gives, handed)) putBefore(giver, taker);
    // Only a call that may itself be put before others can stand before one that ended earlier.
    if (taker.gives === null) return;
    for (let i = this.gave.length - 1; i >= 0; i--) {
      const giver = this.gave[i];
      if (giver === undefined || giver.endedAt < taker.begunAt) return;
      if (overlaps(giver.gives, handed)) putBefore(giver, taker);
    }
  }

  /** Keeps `place` for as long as a call is under way that began before it ended. */
  private retire(place: Place): void {
    const [oldest] = this.giving;
    if (oldest === undefined) this.gave = [];
    else if (place.gives !== null) {
      const firstKept = this.gave.findIndex(({ endedAt }) => endedAt > oldest.begunAt);
      this.gave.splice(0, firstKept < 0 ? this.gave.length : firstKept);
      this.gave.push(place);
    }
  }
}

function handedOut(call: MmCall): PageSpan | null {
  if (call.kind !== 'mmap' && call.kind !== 'mremap') return null;
  if (call.result === null) return null;
  const npages = call.kind === 'mmap' ? call.npages : call.toPages;
  return { start: call.result, end: call.result + npages };
}

function overlaps(span: PageSpan | null, other: PageSpan): boolean {
  return span !== null && span.start < other.end && other.start < span.end;
}

function putBefore(giver: Place, taker: Place): void {
  taker.before ??= [];
  taker.before.push(giver);
}

/** `listed` holds the givers, which alone can be reached twice. */
function list(place: Place, events: DraftEvent[], listed: Set<Place>): void {
  if (place.gives !== null) {
    if (listed.has(place)) return;
    listed.add(place);
  }
  for (const earlier of place.before ?? []) list(earlier, events, listed);
  if (place.event !== null) events.push(place.event);
}
