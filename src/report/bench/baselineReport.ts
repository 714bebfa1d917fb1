/** What `--baseline` prints: each figure before and after, with its scatter, the change, and what to think of it. */

import { relativeSpread, type Summary } from '../../base/statistics.js';
import type { ReportBlock } from '../reportBlock.js';
import { left, right } from '../textTable.js';
import { formatShare, plural } from '../units.js';
import {
  ALPHA,
  type Change,
  type ChangeVerdict,
  type Comparison,
  SEED_SCATTER,
  TESTABLE_MIN,
  wasTested,
} from './baseline.js';
import { formatFigure } from './figureUnits.js';

const verdictWords: Readonly<Record<ChangeVerdict, string>> = {
  better: 'better',
  worse: 'worse',
  changed: 'changed',
  same: 'no difference',
  unclear: `too few samples (${TESTABLE_MIN} needed)`,
  untestable: 'untestable: one value of all samples',
  new: 'not in the baseline',
};

export function baselineBlocks({ changes, missing }: Comparison, baseline: string): ReportBlock[] {
  const columns = [
    left('Figure'),
    left('Clock'),
    right('Before'),
    right('After'),
    right('Change'),
    left('Verdict'),
  ];
  const rows = changes.map((change) => [
    change.name,
    change.metric.clock,
    change.before === null ? '-' : valueText(change, change.before),
    valueText(change, change.after),
    changeText(change),
    verdictText(change),
  ]);
  const isTested = changes.some(({ p }) => p !== null);
  const title = `Against ${baseline}: medians${isTested ? ', ± scatter of the samples, p of a rank test' : ''}`;
  return [
    { title, columns, rows },
    { lines: [summaryLine(changes), ...chanceLine(changes), ...seedLine(changes), ...missingLine(missing)] },
  ];
}

function valueText({ metric }: Change, summary: Summary): string {
  const text = formatFigure(summary.median, metric.unit);
  return summary.count === 1 ? text : `${text} ± ${formatShare(relativeSpread(summary))}`;
}

/** With its sign, in percent of what it was before. */
export function changeText({ change }: Change): string {
  if (change === null) return '-';
  const percent = (change * 100).toFixed(1);
  return change >= 0 ? `+${percent}%` : `${percent}%`;
}

function verdictText({ verdict, p }: Change): string {
  const word = verdictWords[verdict];
  return p === null || verdict === 'unclear' ? word : `${word} (p=${p < 0.001 ? '<0.001' : p.toFixed(3)})`;
}

/** Counts of each verdict that there is. */
function summaryLine(changes: readonly Change[]): string {
  const counts = (Object.keys(verdictWords) as ChangeVerdict[]).flatMap((verdict) => {
    const count = changes.filter((change) => change.verdict === verdict).length;
    return count === 0 ? [] : [`${count} ${verdictWords[verdict]}`];
  });
  const level = changes.some(wasTested) ? ` at p<${ALPHA}` : '';
  return `${plural(changes.length, 'figure')} compared${level}: ${counts.join(', ')}`;
}

/** Each figure is tested by itself, so that some of many differ though nothing has changed. */
function chanceLine(changes: readonly Change[]): string[] {
  const tested = changes.filter(wasTested).length;
  if (tested < 2) return [];
  return [
    `By chance alone up to ${(ALPHA * tested).toFixed(1)} of the ${tested} tested figures would differ on average; none is corrected for the others`,
  ];
}

function seedLine(changes: readonly Change[]): string[] {
  const ofModel = changes.some(({ metric, before }) => metric.clock !== 'wall' && before !== null);
  return ofModel
    ? [
        `Simulated figures and counts are those of one seed: better or worse beyond ${formatShare(SEED_SCATTER)}, changed below it`,
      ]
    : [];
}

function missingLine(missing: readonly string[]): string[] {
  return missing.length === 0
    ? []
    : [`Only in the baseline: ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ', ...' : ''}`];
}
