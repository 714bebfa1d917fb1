/** Says in words when samples scatter too much, or still change, for their median to be worth its digits. */

import { relativeSpread, trendOf } from '../../base/statistics.js';
import { formatShare, plural } from '../units.js';
import type { Figure } from './figure.js';

/** A median whose samples scatter by more is told apart from others only by luck. */
export const NOISY = 0.1;
/** Nearly every later sample on the same side of nearly every earlier one. */
const DRIFTING = 0.8;
const DRIFT_SAMPLES_MIN = 6;
const NAMED_MAX = 3;
/** More than a busy hypervisor takes for itself. */
const STOLEN = 0.03;

/** One line for scatter, one for drift; none for a machine that is quiet enough. */
export function noiseWarnings(figures: readonly Figure[]): string[] {
  const wall = figures.filter(({ metric }) => metric.clock === 'wall');
  const noisy = wall.filter(({ summary }) => summary.count > 2 && relativeSpread(summary) > NOISY);
  const drifting = wall.filter(
    ({ samples }) => samples.length >= DRIFT_SAMPLES_MIN && Math.abs(trendOf(samples)) >= DRIFTING,
  );
  return [...noisyLine(noisy, wall.length), ...driftLine(drifting)];
}

/** One line where a hypervisor gave much of the processors' time to others while it was measured. */
export function stolenWarning(figures: readonly Figure[], share: number): string[] {
  if (!(share > STOLEN) || !figures.some(({ metric }) => metric.clock === 'wall')) return [];
  return [
    `Stolen: others had ${formatShare(share)} of this machine's processors meanwhile, says its hypervisor. Wall figures are worse than the machine's own.`,
  ];
}

function noisyLine(noisy: readonly Figure[], all: number): string[] {
  if (noisy.length === 0) return [];
  const worst = [...noisy].sort((a, b) => relativeSpread(b.summary) - relativeSpread(a.summary));
  const named = worst
    .slice(0, NAMED_MAX)
    .map(({ name, summary }) => `${name} by ${formatShare(relativeSpread(summary))}`);
  const others = worst.length > NAMED_MAX ? ', ...' : '';
  return [
    `Noisy: ${noisy.length} of ${plural(all, 'wall figure')} scatter by more than ${formatShare(NOISY)} (${named.join(', ')}${others}). Let nothing else run beside, or take more --samples.`,
  ];
}

function driftLine(drifting: readonly Figure[]): string[] {
  if (drifting.length === 0) return [];
  const named = drifting.slice(0, NAMED_MAX).map(({ name }) => name);
  const others = drifting.length > NAMED_MAX ? ', ...' : '';
  return [
    `Not steady: ${plural(drifting.length, 'figure')} kept changing in one direction from sample to sample (${named.join(', ')}${others}).`,
  ];
}
