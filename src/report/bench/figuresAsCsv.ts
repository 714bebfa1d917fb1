/** All figures one below another as comma-separated values, for scripts and spreadsheets. */

import type { Figure } from './figure.js';

const csvColumns = 'figure,clock,unit,better,median,min,max,spread,samples';

/** One line of titles, one for each figure; numbers are in the unit that the line names, with all their digits. Ends with a newline. */
export function figuresAsCsv(figures: readonly Figure[]): string {
  const lines = figures.map(({ name, metric: { clock, unit, better }, summary }) =>
    [name, clock, unit, better, summary.median, summary.min, summary.max, summary.spread, summary.count].join(
      ',',
    ),
  );
  return `${[csvColumns, ...lines].join('\n')}\n`;
}
