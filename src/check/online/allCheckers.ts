/** The checkers that watch runs step by step. */

import type { CheckerKind } from './checker.js';
import { invalidationPairs } from './invalidationPairs.js';
import { lockBalance } from './lockBalance.js';

export const allCheckers: readonly CheckerKind[] = [invalidationPairs, lockBalance];
