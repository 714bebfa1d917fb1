/** Which checkers watch a run, as users say it: `all`, `cheap`, `none`, or invariants by name. */

import { UserError } from '../../base/userError.js';
import { restRules } from '../restRules.js';
import { allCheckers } from './allCheckers.js';
import type { CheckerKind } from './checker.js';

/** Sets of checkers that have a name. */
export const CHECKER_SETS = ['all', 'cheap', 'none'] as const;

/**
 * What is not chosen is not made, and costs nothing. `isAlone`: only the Coordinator can be looked at, as in threads, so that of `all` only the cheap
 * ones are left. Invariants that are looked at when all is at rest are so in any case: naming them is no mistake. `where` says where the text stands.
 * @throws UserError for an invariant that nobody watches, or not there.
 */
export function chooseCheckers(
  text: string,
  isAlone = false,
  where = `--checks ${text}`,
): readonly CheckerKind[] {
  if (text === 'none') return [];
  const there = isAlone || text === 'cheap' ? allCheckers.filter(({ isCheap }) => isCheap) : allCheckers;
  if (text === 'all' || text === 'cheap') return there;
  const ids = text.split(',').map((id) => id.trim());
  const unknown = ids.find((id) => !there.some((kind) => kind.id === id) && !restRules.includes(id));
  if (unknown === undefined) return there.filter(({ id }) => ids.includes(id));
  const set = CHECKER_SETS.find((name) => name === unknown);
  if (set !== undefined) {
    const allowed = `${set} alone, or a list of invariants such as I3,M6`;
    throw new UserError({ where, found: `${set} together with others`, allowed });
  }
  const why = allCheckers.some(({ id }) => id === unknown) ? 'is not watched in threads' : 'is not known';
  throw new UserError({
    where,
    found: unknown === '' ? 'nothing' : `${unknown}, which ${why}`,
    allowed: `${CHECKER_SETS.join(', ')}, or a list of ${idsOf(there).join(',')}; looked at in any case, when all is at rest: ${restOnly(there)}`,
  });
}

function restOnly(there: readonly CheckerKind[]): string {
  return restRules.filter((rule) => !there.some(({ id }) => id === rule)).join(',');
}

/** Halves of one invariant may be watched by several. */
function idsOf(kinds: readonly CheckerKind[]): string[] {
  return [...new Set(kinds.map(({ id }) => id))];
}
