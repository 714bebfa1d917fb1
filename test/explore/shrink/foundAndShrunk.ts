/** Failures of known bugs, found and then made smaller, for tests of what became smaller. */

import { expect } from 'vitest';
import { findBug } from '../../../src/bugs/catalogue.js';
import { runBlock } from '../../../src/explore/block.js';
import { type Shrunk, shrink } from '../../../src/explore/shrink/shrink.js';
import type { ExplorationTarget } from '../../../src/explore/target.js';
import { sameVerdict, type Verdict } from '../../../src/explore/verdict.js';

export const LIMITS = { runs: 600, steps: Number.POSITIVE_INFINITY };

export function targetOf(id: string): ExplorationTarget {
  const bug = findBug(id);
  if (bug === null) throw new Error(`${id} is missing`);
  return { source: bug.subject, bug: id };
}

/** The first failure of a few random schedules; what it became fails in the same way. */
export function foundAndShrunk(
  target: ExplorationTarget,
  limits = LIMITS,
  seed = 1,
): Shrunk & { readonly choices: Uint32Array; readonly found: Verdict } {
  const block = {
    target,
    targetKey: JSON.stringify(target),
    index: 0,
    strategy: 'random',
    seed,
    schedules: 200,
    endAtSharedMs: Number.POSITIVE_INFINITY,
  } as const;
  const [finding] = runBlock(block, true).findings;
  expect(finding).toBeDefined();
  const shrunk = shrink(target, finding, limits);
  expect(sameVerdict(shrunk.finding.verdict, finding.verdict)).toBe(true);
  return { ...shrunk, choices: finding.choices, found: finding.verdict };
}
