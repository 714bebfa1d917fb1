/** The ring of last steps holds what was recorded last, in order, and can be read by others. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlightRecorder, RECORDER_BYTES, RECORDER_STEPS } from '../../src/observe/flightRecorder.js';

function record(recorder: FlightRecorder, from: number, to: number): void {
  for (let i = from; i < to; i++) recorder.record(10 * i, 1, i, 2 ** 35 - i, 2, 3, 4, i);
}

describe('flight recorder', () => {
  it('gives the last steps, oldest first', () => {
    fc.assert(
      fc.property(fc.nat(3 * RECORDER_STEPS), fc.nat(2 * RECORDER_STEPS), (taken, asked) => {
        const recorder = new FlightRecorder(new SharedArrayBuffer(RECORDER_BYTES), 0);
        record(recorder, 0, taken);
        const kept = Math.min(taken, asked, RECORDER_STEPS - 1);
        const expected = Array.from({ length: kept }, (_, i) => taken - kept + i);
        expect(recorder.last(asked).map((step) => step.task)).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  });

  it('keeps time, step, task and arguments, with page numbers of 35 bits', () => {
    const recorder = new FlightRecorder(new SharedArrayBuffer(RECORDER_BYTES), 0);
    record(recorder, 5, 6);
    expect(recorder.last(1)).toEqual([
      { sequence: 0, timeNs: 50, step: 1, task: 5, args: [2 ** 35 - 5, 2, 3, 4], order: 5 },
    ]);
  });

  it('is seen by another view of the same memory, which can go on writing', () => {
    const buffer = new SharedArrayBuffer(RECORDER_BYTES + 128);
    record(new FlightRecorder(buffer, 128), 0, 3);
    const second = new FlightRecorder(buffer, 128);
    record(second, 3, 5);
    expect(new FlightRecorder(buffer, 128).last(10).map((step) => step.task)).toEqual([0, 1, 2, 3, 4]);
  });

  it('takes a step number that makes no sense for an unlisted step', () => {
    const buffer = new SharedArrayBuffer(RECORDER_BYTES);
    const recorder = new FlightRecorder(buffer, 0);
    recorder.record(1, Number.NaN, 0, 0, 0, 0, 0, 0);
    expect(recorder.last(1)[0].step).toBe(0);
  });
});
