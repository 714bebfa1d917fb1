/** `--fail-on-worse`: whether a comparison has figures that are worse by more than a run may be. */

import type { CheckResult } from '../../simulation/runReport.js';
import { formatCount, plural } from '../units.js';
import type { Change, Comparison } from './baseline.js';
import { changeText } from './baselineReport.js';

const NAMED_MAX = 5;

/** Only what the comparison calls worse counts, so that neither chance nor a seed fails a run; of a figure that was 0, any change is beyond all limits. */
export function checkWorse({ changes }: Comparison, percent: number): CheckResult {
  const compared = changes.filter(({ before }) => before !== null);
  const worse = compared.filter((change) => change.verdict === 'worse' && sizeOf(change) > percent);
  const name = `no figure worse by more than ${percent}%`;
  if (worse.length === 0) return { name, ok: true, detail: heldText(compared, percent) };
  const named = [...worse].sort((a, b) => sizeOf(b) - sizeOf(a)).slice(0, NAMED_MAX);
  const texts = named.map((change) => `${change.name} ${changeText(change)}`);
  const which = `${texts.join(', ')}${worse.length > NAMED_MAX ? ', ...' : ''}`;
  const counted = `${formatCount(worse.length)} of ${plural(compared.length, 'figure')}`;
  return { name, ok: false, detail: `${counted} worse by more than ${percent}%: ${which}` };
}

function heldText(compared: readonly Change[], percent: number): string {
  const untold = compared.filter(({ verdict }) => verdict === 'unclear' || verdict === 'untestable').length;
  if (compared.length === 0) return 'the two runs have no figure in common';
  if (untold === compared.length) return `none of ${plural(compared.length, 'figure')} could be tested`;
  const rest = untold === 0 ? '' : `; ${formatCount(untold)} of them could not be tested`;
  return `none of ${plural(compared.length, 'figure')} is worse by more than ${percent}%${rest}`;
}

/** In percent, whichever way. */
function sizeOf({ change }: Change): number {
  return change === null ? Number.POSITIVE_INFINITY : Math.abs(change) * 100;
}
