/** Columns of text that line up, with colour that does not count as width. */

import { assert } from '../base/assert.js';

export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}

/** Wraps a padded cell in escape codes. */
export type Paint = (text: string) => string;

export interface TableStyle {
  readonly title?: Paint;
  readonly cell?: (row: number, column: number) => Paint | undefined;
}

const GAP = '  ';

export function left(title: string): Column {
  return { title, align: 'left' };
}

export function right(title: string): Column {
  return { title, align: 'right' };
}

/** One line for the titles, one for each row; no line ends in spaces. */
export function textTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: TableStyle = {},
): string[] {
  for (const row of rows) assert(row.length === columns.length, () => `a row of ${row.length} cells`);
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const titles = columns.map(({ title }) => title);
  return [
    lineOf(titles, columns, widths, () => style.title),
    ...rows.map((row, r) => lineOf(row, columns, widths, (c) => style.cell?.(r, c))),
  ];
}

function lineOf(
  cells: readonly string[],
  columns: readonly Column[],
  widths: readonly number[],
  paintOf: (column: number) => Paint | undefined,
): string {
  const last = cells.findLastIndex((cell) => cell !== '');
  const padded = cells.slice(0, last + 1).map((cell, i) => {
    const paint = paintOf(i) ?? ((text: string) => text);
    if (columns[i].align === 'right') return paint(cell.padStart(widths[i]));
    return paint(i === last ? cell : cell.padEnd(widths[i]));
  });
  return padded.join(GAP);
}
