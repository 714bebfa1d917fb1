/** A schedule in a few words: whose turn it was, and for how many steps. */

import type { Turn } from '../explore/replay/turns.js';
import { formatCount, plural } from './units.js';

/** Of a longer schedule the first and the last turns are told: what leads to a failure are the last ones. */
const FIRST_TOLD = 8;
const LAST_TOLD = 24;

/** `cpu0 12, coordinator 3, gpu0 5`: the steps of each turn. */
export function scheduleText(turns: readonly Turn[]): string {
  const told = turns.map(({ actor, steps }) => `${actor} ${formatCount(steps)}`);
  const left = turns.length - FIRST_TOLD - LAST_TOLD;
  if (left <= 1) return told.join(', ');
  const skipped = `... ${plural(left, 'turn')} ...`;
  return [...told.slice(0, FIRST_TOLD), skipped, ...told.slice(-LAST_TOLD)].join(', ');
}
