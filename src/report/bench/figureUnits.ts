/** How figures are written and read: `4.21GB/s`, `12.3us`, `1.2M/s`, `0.87`. */

import { unreachable } from '../../base/assert.js';
import { formatBandwidth, formatBytes, formatNs, formatRate } from '../units.js';
import type { FigureUnit } from './figure.js';

/** Suffixes by unit, with their factors; longer ones before those that they end with. */
const suffixes: Readonly<Record<FigureUnit, Readonly<Record<string, number>>>> = {
  'B/s': { 'GB/s': 1e9, 'MB/s': 1e6, 'kB/s': 1e3, 'B/s': 1 },
  ns: { ns: 1, us: 1e3, ms: 1e6, s: 1e9 },
  '/s': { 'G/s': 1e9, 'M/s': 1e6, 'k/s': 1e3, '/s': 1 },
  B: { GiB: 2 ** 30, MiB: 2 ** 20, KiB: 2 ** 10, B: 1 },
  plain: { '%': 0.01 },
};

export function formatFigure(value: number, unit: FigureUnit): string {
  switch (unit) {
    case 'B/s':
      return formatBandwidth(value);
    case 'ns':
      return formatNs(value);
    case '/s':
      return `${formatRate(value)}/s`;
    case 'B':
      return formatBytes(value);
    case 'plain':
      return String(Number(value.toPrecision(4)));
    default:
      return unreachable(unit);
  }
}

/** A number without a suffix is in the figure's own unit. Null for what is no such number. */
export function parseFigure(typed: string, unit: FigureUnit): number | null {
  const match = /^(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*(\S*)$/i.exec(
    typed.trim().replaceAll(/(?<=\d)[,_](?=\d{3})/g, ''),
  );
  if (match === null) return null;
  const [, digits, suffix] = match;
  const factor = suffix === '' ? 1 : suffixes[unit][suffix];
  const value = factor === undefined ? Number.NaN : Number(digits) * factor;
  return Number.isFinite(value) ? value : null;
}

/** For messages: what may follow a number. */
export function suffixesOf(unit: FigureUnit): string {
  return Object.keys(suffixes[unit]).join(', ');
}
