/** Thresholds on figures: `migrate.host_to_device.2MiB.memcpyRatio>=0.6`, with `*` for any part of a name between dots. */

import type { Figure, FigureUnit } from './figure.js';
import { formatFigure, parseFigure, suffixesOf } from './figureUnits.js';

const comparisons = {
  '>=': (value: number, limit: number) => value >= limit,
  '<=': (value: number, limit: number) => value <= limit,
  '==': (value: number, limit: number) => value === limit,
  '!=': (value: number, limit: number) => value !== limit,
  '>': (value: number, limit: number) => value > limit,
  '<': (value: number, limit: number) => value < limit,
} as const;
type Comparison = keyof typeof comparisons;

export const THRESHOLD_FORM =
  'NAME OP NUMBER[UNIT] with OP one of >= <= > < == !=, such as migrate.host_to_device.2MiB.memcpyRatio>=0.6';

export interface Threshold {
  readonly typed: string;
  /** May contain `*`. */
  readonly name: string;
  readonly comparison: Comparison;
  /** As typed; its unit is known once the figure is. */
  readonly limit: string;
}

export interface ThresholdResult {
  readonly threshold: Threshold;
  /** The figure that decided: the first that breaks it, or else the one nearest to the limit; null where none was measured. */
  readonly figure: Figure | null;
  readonly ok: boolean;
  /** One line in words. */
  readonly detail: string;
}

/** Null for what is no threshold. */
export function parseThreshold(typed: string): Threshold | null {
  const match = /^\s*([\w.*-]+)\s*(>=|<=|==|!=|>|<)\s*(\S.*?)\s*$/.exec(typed);
  if (match === null) return null;
  const [, name, operator, limit] = match;
  const comparison = (Object.keys(comparisons) as Comparison[]).find((one) => one === operator);
  return comparison === undefined ? null : { typed: typed.trim(), name, comparison, limit };
}

/** What is wrong with a threshold, given the figures that there will be; null for nothing. */
export function thresholdProblem(
  threshold: Threshold,
  known: ReadonlyMap<string, FigureUnit>,
): 'unknown name' | { readonly allowed: string } | null {
  const units = [...known].filter(([name]) => matches(threshold.name, name)).map(([, unit]) => unit);
  if (units.length === 0) return 'unknown name';
  const wrong = units.find((unit) => parseFigure(threshold.limit, unit) === null);
  return wrong === undefined ? null : { allowed: `a number, alone or with ${suffixesOf(wrong)}` };
}

/** By the medians. A threshold on figures does not hold where any of those that were to be measured, by their names, was not. */
export function checkThreshold(
  threshold: Threshold,
  figures: readonly Figure[],
  known: Iterable<string>,
): ThresholdResult {
  const concerned = figures.filter(({ name }) => matches(threshold.name, name));
  const measured = new Set(concerned.map(({ name }) => name));
  const missing = [...known].filter((name) => matches(threshold.name, name) && !measured.has(name));
  const broken = concerned.find((figure) => !holds(threshold, figure));
  if (broken === undefined && (concerned.length === 0 || missing.length > 0)) {
    return { threshold, figure: null, ok: false, detail: missingText(threshold, missing) };
  }
  const figure = broken ?? nearest(threshold, concerned);
  const value = valueText(threshold, figure);
  const others = concerned.length === 1 ? '' : `, ${figure.name}, nearest of ${concerned.length}`;
  const detail =
    broken === undefined
      ? `${threshold.typed}: ${value}${others}`
      : `${threshold.typed}: ${value}${concerned.length === 1 ? '' : `, ${figure.name}`}`;
  return { threshold, figure, ok: broken === undefined, detail };
}

function missingText({ typed, name }: Threshold, missing: readonly string[]): string {
  const others = missing.length < 2 ? '' : ` and ${missing.length - 1} more`;
  const which = missing.length === 0 || missing[0] === name ? '' : `, ${missing[0]}${others}`;
  return `${typed}: not measured${which}`;
}

/** In the threshold's terms, with all digits where fewer would seem to answer otherwise. */
function valueText(
  { comparison, limit }: Threshold,
  { summary: { median }, metric: { unit } }: Figure,
): string {
  const text = limit.endsWith('%') ? `${Number((100 * median).toPrecision(4))}%` : formatFigure(median, unit);
  const wanted = parseFigure(limit, unit);
  const told = parseFigure(text, unit);
  if (wanted === null || told === null) return text;
  const compare = comparisons[comparison];
  if (compare(told, wanted) === compare(median, wanted)) return text;
  if (limit.endsWith('%')) return `${100 * median}%`;
  return `${median}${unit === 'plain' ? '' : unit}`;
}

function holds({ comparison, limit }: Threshold, { summary, metric }: Figure): boolean {
  const wanted = parseFigure(limit, metric.unit);
  return wanted !== null && comparisons[comparison](summary.median, wanted);
}

function nearest({ limit }: Threshold, figures: readonly Figure[]): Figure {
  const distance = ({ summary, metric }: Figure): number =>
    Math.abs(summary.median - (parseFigure(limit, metric.unit) ?? 0));
  return figures.reduce((best, one) => (distance(one) < distance(best) ? one : best));
}

/** A `*` stands for any text between two dots, in part or as a whole. */
export function matches(pattern: string, name: string): boolean {
  const escaped = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^.]*');
  return new RegExp(`^${escaped}$`).test(name);
}
