/** Measures the search over the catalogue of bugs: schedules until the portfolio finds each, and how much smaller shrinking makes what was found. */

import { setImmediate } from 'node:timers/promises';
import type { BugOverlay, SubjectSource } from '../bugs/bugOverlay.js';
import { type Finding, runBlock } from './block.js';
import { BufferStock } from './bufferStock.js';
import { Exploration } from './exploration.js';
import { afterOtherWork } from './otherWork.js';
import { SHRINK_LIMITS, type ShrinkLimits, type Size, shrink } from './shrink/shrink.js';
import type { ExplorationTarget } from './target.js';
import { isExpected } from './verdict.js';

/** Of one bug. */
export interface CatalogueCell {
  readonly bug: string;
  /** Until it was found; null where it was not, or showed as something else. */
  readonly schedules: number | null;
  /** Of the hunt, wall. */
  readonly wallSeconds: number;
  /** The program as the catalogue has it, in which little can be taken away. */
  readonly shrunkAlone: Shrinking | null;
  /** The same after other work. */
  readonly shrunk: Shrinking | null;
}

export interface Shrinking {
  readonly from: Size;
  readonly to: Size;
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
  const stock = new BufferStock();
  for (const bug of bugs) {
    // So that an interrupt is seen between two of them.
    await setImmediate();
    if (signal.aborted) break;
    const cell = await measureOne(bug, signal, limits, stock);
    cells.push(cell);
    onCell(cell);
  }
  return cells;
}

async function measureOne(
  bug: BugOverlay,
  signal: AbortSignal,
  limits: ShrinkLimits,
  stock: BufferStock,
): Promise<CatalogueCell> {
  const startMs = performance.now();
  const found = await hunt(bug, bug.subject, signal);
  const wallSeconds = (performance.now() - startMs) / 1000;
  if (found === null) return { bug: bug.id, schedules: null, wallSeconds, shrunkAlone: null, shrunk: null };
  const busy = await hunt(bug, afterOtherWork(bug.subject), signal);
  return {
    bug: bug.id,
    schedules: found.finding.schedule + 1,
    wallSeconds,
    shrunkAlone: shrunkBy(found, limits, stock),
    shrunk: busy === null ? null : shrunkBy(busy, limits, stock),
  };
}

interface Found {
  readonly target: ExplorationTarget;
  readonly finding: Finding;
}

/** Null where it is not found, or shows as something else. */
async function hunt(bug: BugOverlay, source: SubjectSource, signal: AbortSignal): Promise<Found | null> {
  const target = { source, bug: bug.id };
  const exploration = new Exploration(
    target,
    { ...HUNT_LIMITS, seed: SEED, strategy: null, keepGoing: false },
    async (block) => runBlock(block, true),
    () => performance.now(),
  );
  const [finding] = (await exploration.run(1, signal)).findings;
  return finding !== undefined && isExpected(finding.verdict, bug.expected) ? { target, finding } : null;
}

function shrunkBy({ target, finding }: Found, limits: ShrinkLimits, stock: BufferStock): Shrinking {
  const { from, to } = shrink(target, finding, limits, stock);
  return { from, to };
}
