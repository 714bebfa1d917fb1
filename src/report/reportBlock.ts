/** Parts of a report that do not yet say how they are printed: as text that lines up, or as Markdown. */

import type { Colors } from './colors.js';
import { type Column, textTable } from './textTable.js';

export interface TableBlock {
  readonly title?: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  /** Lines below it. */
  readonly notes?: readonly string[];
}

/** Lines that stand for themselves, or a table. */
export type ReportBlock = TableBlock | { readonly lines: readonly string[] };

/** Blocks with a line between two of them; ends with a newline. */
export function blocksAsText(blocks: readonly ReportBlock[], colors: Colors): string {
  const parts = blocks.map((block) => {
    if ('lines' in block) return block.lines;
    const { title, columns, rows, notes = [] } = block;
    const table = textTable(columns, rows, { title: colors.bold });
    return [...(title === undefined ? [] : [title]), ...table, ...notes];
  });
  return joined(parts, '\n');
}

/** The same as Markdown: tables with bars, titles in bold. */
export function blocksAsMarkdown(blocks: readonly ReportBlock[]): string {
  const parts = blocks.map((block) => {
    if ('lines' in block) return block.lines.map((line) => `${escaped(line)}  `);
    const { title, columns, rows, notes = [] } = block;
    return [
      ...(title === undefined ? [] : [`**${escaped(title)}**`, '']),
      rowLine(columns.map((column) => column.title)),
      rowLine(columns.map(({ align }) => (align === 'right' ? '--:' : ':--'))),
      ...rows.map(rowLine),
      ...(notes.length === 0 ? [] : ['', ...notes.map((note) => `${escaped(note)}  `)]),
    ];
  });
  return joined(parts, '\n');
}

function joined(parts: readonly (readonly string[])[], gap: string): string {
  return parts.map((lines) => `${lines.join('\n')}\n`).join(gap);
}

function rowLine(cells: readonly string[]): string {
  return `| ${cells.map(escaped).join(' | ')} |`;
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|');
}
