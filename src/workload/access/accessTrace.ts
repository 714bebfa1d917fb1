/** Accesses of devices and of the CPU, recorded as a table of comma-separated values: one row for each. */

import { PAGE_BYTES, TASK_SIZE_PAGES } from '../../base/units.js';
import { TraceError, type TraceLine } from '../trace/traceError.js';

/** In the order of their times; rows of the same time keep theirs. Plain data, for workers. */
export interface AccessTrace {
  readonly fileName: string;
  /** One entry for each access; -1 is the CPU. */
  readonly devices: Int16Array;
  readonly pages: Float64Array;
  /** 1 for a store. */
  readonly stores: Uint8Array;
  /** As in the file, in whatever unit: they say the order. */
  readonly times: Float64Array;
}

export const accessColumns = ['time', 'device', 'address', 'size', 'kind'] as const;
type Column = (typeof accessColumns)[number];

const HEADER = accessColumns.join(',');
const NUMBER = /^(?:0x[0-9a-f]+|[0-9]+)$/i;
const DEVICE = /^(?:gpu)?([0-9]{1,3})$/i;
const SIZE_MAX = 2 ** 30;
/** Of all rows together, each counted by the pages that it reaches over: what a table of them may take of memory. */
const ACCESSES_MAX = 2 ** 24;
const TOO_MANY = `at most ${ACCESSES_MAX} accesses, of which one that reaches over several pages is one of each`;
const ADDRESS_END = TASK_SIZE_PAGES * PAGE_BYTES;

/** By what the file may call them. An atomic is a store here. */
const kinds: Readonly<Record<string, boolean>> = {
  read: false,
  r: false,
  load: false,
  write: true,
  w: true,
  store: true,
  atomic: true,
  a: true,
};

/** What one line says; an access that reaches over several pages is one of each. */
interface Row {
  readonly time: number;
  readonly device: number;
  readonly start: number;
  readonly end: number;
  readonly isStore: boolean;
}

/** The first line that is no comment names the columns, in any order. @throws TraceError that names the line. */
export function parseAccesses(text: string, fileName: string): AccessTrace {
  const lines = text.split('\n');
  let columns: ReadonlyMap<Column, number> | null = null;
  const rows: Row[] = [];
  let accesses = 0;
  lines.forEach((raw, i) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return;
    const where = { fileName, line: i + 1 };
    const cells = line.split(',').map((cell) => cell.trim());
    if (columns === null) columns = readHeader(cells, where);
    else {
      const row = readRow(cells, columns, where);
      accesses += row.end - row.start;
      if (accesses > ACCESSES_MAX) throw new TraceError(where, `${accesses} accesses so far`, TOO_MANY);
      rows.push(row);
    }
  });
  if (rows.length === 0) {
    throw new TraceError(
      { fileName, line: lines.length },
      'no access',
      `a line ${HEADER} and one for each access`,
    );
  }
  return tableOf(fileName, rows);
}

/** The same as text, in the order in which they are replayed. */
export function formatAccesses({ devices, pages, stores, times }: AccessTrace): string {
  const lines = Array.from(pages, (page, i) => {
    const device = devices[i] < 0 ? 'cpu' : `gpu${devices[i]}`;
    const kind = stores[i] === 1 ? 'write' : 'read';
    return `${times[i]},${device},0x${(page * PAGE_BYTES).toString(16)},${PAGE_BYTES},${kind}`;
  });
  return `${[HEADER, ...lines].join('\n')}\n`;
}

function readHeader(cells: readonly string[], where: TraceLine): ReadonlyMap<Column, number> {
  const named = cells.map((cell) => cell.toLowerCase());
  const found = new Map(accessColumns.map((column) => [column, named.indexOf(column)]));
  if ([...found.values()].some((at) => at < 0)) {
    throw new TraceError(where, `"${cells.join(',')}"`, `a first line that names the columns: ${HEADER}`);
  }
  return found;
}

function readRow(cells: readonly string[], columns: ReadonlyMap<Column, number>, where: TraceLine): Row {
  const cell = (column: Column): string => cells[columns.get(column) ?? -1] ?? '';
  const refuse = (column: Column, allowed: string): TraceError =>
    new TraceError(where, `${column} "${cell(column)}"`, allowed);
  const time = Number(cell('time'));
  if (cell('time') === '' || !Number.isFinite(time)) throw refuse('time', 'a number, in any unit');
  const device = deviceOf(cell('device'));
  if (device === null) throw refuse('device', 'the number of a device such as 0 or gpu0, or cpu');
  if (!NUMBER.test(cell('address'))) throw refuse('address', 'a byte address such as 0x7f0000001000');
  const address = Number(cell('address'));
  const size = NUMBER.test(cell('size')) ? Number(cell('size')) : 0;
  if (size < 1 || size > SIZE_MAX) throw refuse('size', `1 to ${SIZE_MAX} bytes`);
  if (address < PAGE_BYTES || address + size > ADDRESS_END)
    throw refuse('address', `addresses from 0x1000 below 0x${ADDRESS_END.toString(16)}`);
  const kind = cell('kind').toLowerCase();
  const isStore = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (isStore === undefined) throw refuse('kind', 'read, write or atomic');
  const start = Math.floor(address / PAGE_BYTES);
  return { time, device, start, end: Math.floor((address + size - 1) / PAGE_BYTES) + 1, isStore };
}

function deviceOf(text: string): number | null {
  if (text.toLowerCase() === 'cpu') return -1;
  const match = DEVICE.exec(text);
  return match === null ? null : Number(match[1]);
}

function tableOf(fileName: string, rows: readonly Row[]): AccessTrace {
  const ordered = [...rows].sort((a, b) => a.time - b.time);
  const count = ordered.reduce((sum, { start, end }) => sum + end - start, 0);
  const devices = new Int16Array(count);
  const pages = new Float64Array(count);
  const stores = new Uint8Array(count);
  const times = new Float64Array(count);
  let at = 0;
  for (const { time, device, start, end, isStore } of ordered) {
    for (let page = start; page < end; page++, at++) {
      devices[at] = device;
      pages[at] = page;
      stores[at] = isStore ? 1 : 0;
      times[at] = time;
    }
  }
  return { fileName, devices, pages, stores, times };
}
