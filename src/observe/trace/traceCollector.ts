/** Takes what the rings hold before they are full, while a run goes on, and makes a trace of it at the end. */

import { messageNames } from '../../sim/message.js';
import { type CatalogedStep, catalogedStep, STEP_NUMBERS } from '../stepCatalog.js';
import type { Trace, TraceHead } from './trace.js';
import { TRACE_RING_BYTES, TraceRing } from './traceRing.js';

/** A thread writes some megabytes in a second: a ring of 8 MiB lasts for many of these. */
const DRAIN_EVERY_MS = 10;
/**
 * 1 GiB: what is recorded stays in memory until the end, and a trace file of more than 2 GiB cannot be read. Afterwards the rings fill up, and their
 * writers count what they drop.
 */
const WORDS_MAX = 2 ** 27;

export class TraceCollector {
  private readonly rings: readonly TraceRing[];
  private readonly taken: Float64Array[][];
  private words = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    buffer: SharedArrayBuffer,
    private readonly wordsMax = WORDS_MAX,
  ) {
    const count = buffer.byteLength / TRACE_RING_BYTES;
    this.rings = Array.from({ length: count }, (_, i) => new TraceRing(buffer, i));
    this.taken = this.rings.map(() => []);
  }

  /** From now on by itself, between whatever else this thread does. */
  start(): void {
    this.timer = setInterval(() => this.drain(), DRAIN_EVERY_MS);
    this.timer.unref();
  }

  drain(): void {
    if (this.words >= this.wordsMax) return;
    this.rings.forEach((ring, i) => {
      this.keep(i, ring.take());
    });
  }

  /** Takes no more by itself; a second call changes nothing. */
  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  /** When all writers have ended. */
  finish(run: TraceHead): Trace {
    this.stop();
    this.rings.forEach((ring, i) => {
      this.keep(i, ring.takeAll());
    });
    const events = this.rings.reduce((sum, ring) => sum + ring.events, 0);
    const dropped = this.rings.reduce((sum, ring) => sum + ring.dropped, 0);
    return { ...run, steps: allSteps(), messages: messageNames(), rings: this.taken, events, dropped };
  }

  private keep(ring: number, words: Float64Array): void {
    if (words.length === 0) return;
    this.taken[ring].push(words);
    this.words += words.length;
  }
}

function allSteps(): CatalogedStep[] {
  return Array.from({ length: STEP_NUMBERS }, (_, number) => {
    const { name, fields } = catalogedStep(number);
    return { name, fields };
  });
}
