/** Measures the search over the catalogue of bugs: schedules until the portfolio finds each, and how much smaller shrinking makes what was found. */

import { setImmediate } from 'node:timers/promises';
import type { BugOverlay } from '../bugs/bugOverlay.js';
import { runBlock } from './block.js';
import { Exploration } from './exploration.js';
import { SHRINK_LIMITS, type ShrinkLimits, type Size, shrink } from './shrink/shrink.js';
import { isExpected } from './verdict.js';

/** Of one bug. */
export interface CatalogueCell {
  readonly bug: string;
  /** Until it was found; null where it was not, or showed as something else. */
  readonly schedules: number | null;
  /** Of the hunt, wall. */
  readonly wallSeconds: number;
  readonly shrunk: { readonly from: Size; readonly to: Size } | null;
}

/** What every bug has to be found within. */
export const HUNT_LIMITS = { schedules: 20_000, seconds: 60 } as const;

const SEED = 1;

/** One bug after another, on this thread alone. Ends early with those that are done. */
export async function benchCatalogue(
  bugs: readonly BugOverlay[],
  signal: AbortSignal,
  onCell: (cell: CatalogueCell) => void,
  limits: ShrinkLimits = SHRINK_LIMITS,
): Promise<CatalogueCell[]> {
  const cells: CatalogueCell[] = [];
  for (const bug of bugs) {
    // So that an interrupt is seen between two of them.
    await setImmediate();
    if (signal.aborted) break;
    const cell = await measureOne(bug, signal, limits);
    cells.push(cell);
    onCell(cell);
  }
  return cells;
}

async function measureOne(
  bug: BugOverlay,
  signal: AbortSignal,
  limits: ShrinkLimits,
): Promise<CatalogueCell> {
  const target = { source: bug.subject, bug: bug.id };
  const startMs = performance.now();
  const exploration = new Exploration(
    target,
    { ...HUNT_LIMITS, seed: SEED, strategy: null, keepGoing: false },
    async (block) => runBlock(block, true),
    () => performance.now(),
  );
  const [found] = (await exploration.run(1, signal)).findings;
  const hunt = { bug: bug.id, wallSeconds: (performance.now() - startMs) / 1000 };
  if (found === undefined || !isExpected(found.verdict, bug.expected))
    return { ...hunt, schedules: null, shrunk: null };
  const { from, to } = shrink(target, found, limits);
  return { ...hunt, schedules: found.schedule + 1, shrunk: { from, to } };
}
