/** What every actor of a run is doing at one moment, as lines: who waits for what, and which locks are held. */

import type { LiveSnapshot } from '../simulation/liveRun.js';
import type { LockState } from '../simulation/lockStates.js';
import type { ClockName } from './clock.js';
import { left, right, textTable } from './textTable.js';
import { formatCount, formatNs } from './units.js';
import { firstOf, groupWaits } from './waitGroups.js';

const NANOSECONDS_PER_MILLISECOND = 1e6;

/** For standard error, while the run goes on. */
export function snapshotText(snapshot: LiveSnapshot, clock: ClockName): string {
  const { phase, elapsedMs, actors, locks } = snapshot;
  const at = `${formatNs(elapsedMs * NANOSECONDS_PER_MILLISECOND)} ${clock}`;
  const columns = [left('Actor'), left('State'), right('Steps'), right('Sent'), right('To receive')];
  const rows = actors.map(({ name, letter, steps, sent, toReceive }) => [
    name,
    letter,
    formatCount(steps),
    formatCount(sent),
    formatCount(toReceive),
  ]);
  const waits = actors.flatMap(({ name, waits: lines }) =>
    groupWaits(lines).map((line) => `  ${name}: ${line}`),
  );
  return [
    `svmsim: snapshot after ${at}, ${phase}`,
    ...textTable(columns, rows),
    waits.length === 0 ? 'Nobody waits.' : 'Who waits for what:',
    ...waits,
    ...(locks.length === 0 ? [] : ['Locks:', ...locks.map((lock) => `  ${lockText(lock)}`)]),
    '',
  ].join('\n');
}

/** `mmap_lock of mm 1: write by fault#3; waiting: zap#7`. */
export function lockText({ name, mode, holders, waiters }: LockState): string {
  const held = mode === null ? 'free' : `${mode} by ${firstOf(holders)}`;
  return `${name}: ${held}${waiters.length === 0 ? '' : `; waiting: ${firstOf(waiters)}`}`;
}
