/** Bandwidth from each source (row) to each destination (column), and what all cells come to. */

import { assert } from '../base/assert.js';
import type { TableBlock } from './reportBlock.js';
import { left, right } from './textTable.js';
import { formatGBps } from './units.js';

export interface MatrixCell {
  readonly source: string;
  readonly destination: string;
  /** Null where the measurement failed. */
  readonly bytesPerSecond: number | null;
}

export interface Matrix {
  /** Says what was measured, in which unit and by which clock. */
  readonly title: string;
  readonly cells: readonly MatrixCell[];
  /** Below it: what cells come to that were measured at once, or one after another, is not for a matrix to know. */
  readonly sums: readonly MatrixSum[];
}

export interface MatrixSum {
  readonly bytesPerSecond: number;
  /** Of what it is the sum. */
  readonly of: string;
}

/** In GB/s. Pairs that were not measured, like a place and itself, are N/A; a failed one is Error. */
export function matrixBlock({ title, cells, sums }: Matrix): TableBlock {
  const sources = inOrder(cells.map(({ source }) => source));
  const destinations = inOrder(cells.map(({ destination }) => destination));
  return {
    title,
    columns: [left(''), ...destinations.map(right)],
    rows: sources.map((source) => [
      source,
      ...destinations.map((destination) => cellText(cells, source, destination)),
    ]),
    notes: sums.map(({ bytesPerSecond, of }) => `SUM ${formatGBps(bytesPerSecond)}, ${of}`),
  };
}

/** RAM first, then devices by number. */
function inOrder(places: readonly string[]): string[] {
  return [...new Set(places)].sort((a, b) => rankOf(a) - rankOf(b));
}

function rankOf(place: string): number {
  const device = /^gpu(\d+)$/.exec(place);
  assert(device !== null || place === 'ram', () => `no such place: ${place}`);
  return device === null ? -1 : Number(device[1]);
}

function cellText(cells: readonly MatrixCell[], source: string, destination: string): string {
  const cell = cells.find((one) => one.source === source && one.destination === destination);
  if (cell === undefined) return 'N/A';
  return cell.bytesPerSecond === null ? 'Error' : formatGBps(cell.bytesPerSecond);
}
