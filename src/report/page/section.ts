/** A section of the page, and what sections have in common. */

import type { LatencyData, RunData, TraceData } from '../html/reportData.js';
import { note } from './dom.js';

export interface Section {
  /** Of the element, for links. */
  readonly id: string;
  readonly title: string;
  /** One sentence that says what is to be seen. */
  readonly intro: string | null;
  readonly body: readonly HTMLElement[];
}

/** What stands over one of two runs. */
export function labelOf(runs: readonly RunData[], index: number): string {
  if (runs.length < 2) return '';
  return `${index === 0 ? 'Before' : 'After'}: ${runs[index].source}`;
}

export interface Traced {
  readonly run: RunData;
  readonly trace: TraceData;
  readonly label: string;
  readonly index: number;
}

/** Runs of which there is a trace. */
export function traced(runs: readonly RunData[]): Traced[] {
  return runs.flatMap((run, index) =>
    run.trace === null ? [] : [{ run, trace: run.trace, label: labelOf(runs, index), index }],
  );
}

export function needsTrace(): HTMLElement {
  return note(
    'Only a trace tells this. Run again with --trace FILE.svmtrace (or --report FILE), and make the report of that file.',
  );
}

/** Measured of single events where there is a trace, else as the result sums them up. */
export function latenciesOf({ trace, summary }: RunData): readonly LatencyData[] {
  if (trace !== null && trace.latencies.length > 0) return trace.latencies;
  return summary?.latencies ?? [];
}

export function clockNote(runs: readonly RunData[]): string {
  const clocks = [...new Set(runs.map(({ clock }) => clock))];
  return clocks.length === 1 ? `${clocks[0]} time` : 'wall time of the one, simulated time of the other';
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
