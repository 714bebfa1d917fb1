/** What every benchmark's measurement is given beside its own options, and how it is called. */

import { tuneForMeasuring } from '../engine.js';
import type { SimulationConfig } from '../simulationConfig.js';

/** Which clocks are asked for; at least one. */
export interface BenchClocks {
  /** Measured on this machine, by runs under `threads`. */
  readonly wall: boolean;
  /** Computed by the cost model, in runs under `virtual`. */
  readonly simulated: boolean;
}

export interface BenchControl<Cell> {
  /** Ends early with the cells that are done. */
  readonly signal?: AbortSignal;
  /** Told of each cell once it is measured, in order. */
  readonly onCell?: (cell: Cell) => void;
}

/** Resolves with all cells that it told of. */
export type BenchRun<Options, Cell> = (
  config: SimulationConfig,
  options: Options & BenchControl<Cell>,
) => Promise<readonly Cell[]>;

/** Whether a measurement came to something: `Waived` where this machine or configuration has no such thing. */
export const benchStatuses = ['Passed', 'Waived', 'Error'] as const;
export type BenchStatus = (typeof benchStatuses)[number];

/** Measures one variant after another, tells of each, and ends early with those that are done when it is asked to. */
export async function measureEach<Variant, Cell>(
  variants: readonly Variant[],
  { signal, onCell }: BenchControl<Cell>,
  measure: (variant: Variant, index: number) => Promise<Cell>,
): Promise<Cell[]> {
  tuneForMeasuring();
  const cells: Cell[] = [];
  for (const [index, variant] of variants.entries()) {
    if (signal?.aborted) return cells;
    const cell = await measure(variant, index);
    // What an interrupt has cut off is no result.
    if (signal?.aborted) return cells;
    cells.push(cell);
    onCell?.(cell);
  }
  return cells;
}
