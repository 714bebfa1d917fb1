/** The part of the observers' shared buffer that one actor writes: where in it counts, measures and last steps are. */

import { FlightRecorder, RECORDER_BYTES } from './flightRecorder.js';
import { HISTOGRAM_BUCKETS, HISTOGRAM_TOTALS, Histogram } from './histogram.js';
import { CELL_WORDS, METER_CELLS, METER_HISTOGRAMS, type Meter } from './meters.js';
import { STEP_NUMBERS } from './stepCatalog.js';

/** Doubles per step: how often, and the sums of its four arguments. */
export const STEP_WORDS = 5;

const CACHE_LINE = 64;

function aligned(bytes: number): number {
  return Math.ceil(bytes / CACHE_LINE) * CACHE_LINE;
}

const HEADER_WORDS = 8;
const CLOCK_OFFSET = 0;
const RUN_START = 1;

const STEPS_AT = HEADER_WORDS * 8;
const CELLS_AT = aligned(STEPS_AT + STEP_NUMBERS * STEP_WORDS * 8);
const TOTALS_AT = aligned(CELLS_AT + METER_CELLS * CELL_WORDS * 8);
const BUCKETS_AT = aligned(TOTALS_AT + METER_HISTOGRAMS * HISTOGRAM_TOTALS * 8);
const RECORDER_AT = aligned(BUCKETS_AT + METER_HISTOGRAMS * HISTOGRAM_BUCKETS * 4);

/** Most of it is histograms of devices that most actors know nothing of: reserved, but backed by memory only once written. */
export const SECTION_BYTES = aligned(RECORDER_AT + RECORDER_BYTES);

export class ObserverSection {
  /** Per step number {@link STEP_WORDS} doubles. */
  readonly steps: Float64Array;
  /** Per cell of the meters {@link CELL_WORDS} doubles. */
  readonly cells: Float64Array;
  readonly recorder: FlightRecorder;
  private readonly header: Float64Array;
  private readonly histograms: (Histogram | undefined)[] = [];

  constructor(
    private readonly buffer: SharedArrayBuffer,
    private readonly byteOffset: number,
  ) {
    this.header = new Float64Array(buffer, byteOffset, HEADER_WORDS);
    this.steps = new Float64Array(buffer, byteOffset + STEPS_AT, STEP_NUMBERS * STEP_WORDS);
    this.cells = new Float64Array(buffer, byteOffset + CELLS_AT, METER_CELLS * CELL_WORDS);
    this.recorder = new FlightRecorder(buffer, byteOffset + RECORDER_AT);
  }

  /** What to add to the actor's times to compare them with those of others. */
  get clockOffsetNs(): number {
    return this.header[CLOCK_OFFSET];
  }

  set clockOffsetNs(ns: number) {
    this.header[CLOCK_OFFSET] = ns;
  }

  /** When the run began, on the clock that all actors share. */
  get runStartNs(): number {
    return this.header[RUN_START];
  }

  set runStartNs(ns: number) {
    this.header[RUN_START] = ns;
  }

  /** Only those that were written to have memory behind them. */
  clearHistograms(): void {
    for (let index = 0; index < METER_HISTOGRAMS; index++) {
      const histogram = this.histogramAt(index);
      if (histogram.count > 0) histogram.clear();
    }
  }

  /** Of a meter that keeps latencies. */
  histogram(meter: Meter, key: number): Histogram {
    return this.histogramAt(meter.firstHistogram + key);
  }

  histogramAt(index: number): Histogram {
    let histogram = this.histograms[index];
    if (histogram === undefined) {
      const { buffer, byteOffset } = this;
      const bucketsAt = byteOffset + BUCKETS_AT + index * HISTOGRAM_BUCKETS * 4;
      const totalsAt = byteOffset + TOTALS_AT + index * HISTOGRAM_TOTALS * 8;
      histogram = new Histogram(
        new Uint32Array(buffer, bucketsAt, HISTOGRAM_BUCKETS),
        new Float64Array(buffer, totalsAt, HISTOGRAM_TOTALS),
      );
      this.histograms[index] = histogram;
    }
    return histogram;
  }
}
