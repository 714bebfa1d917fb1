/** What must hold of a case that has the shape of one: its names, labels, places, forks, memory and blocks. */

import { CASE_THREADS_MAX, tooWideBlocks } from '../../case/blockThreads.js';
import type { Case } from '../../case/caseSchema.js';
import type { CaseMistake } from './caseMistake.js';
import { forkMistakes } from './forks.js';
import type { JsonPath } from './jsonPlace.js';
import { labelMistakes } from './labels.js';
import { memoryMistakes } from './memory.js';
import { nameMistakes } from './names.js';
import { placeMistakes } from './places.js';

/** `path`: where the case stands. */
export function ruleMistakes(one: Case, path: JsonPath): CaseMistake[] {
  return [
    ...labelMistakes(one, path),
    ...blockMistakes(one, path),
    ...nameMistakes(one, path),
    ...forkMistakes(one, path),
    ...memoryMistakes(one, path),
    ...placeMistakes(one, path),
  ];
}

/** Blocks that no machine has threads for. */
function blockMistakes({ steps }: Case, path: JsonPath): CaseMistake[] {
  return tooWideBlocks(steps, [...path, 'steps']).map((block) => ({
    path: block,
    found: 'more branches or processes at the same time',
    allowed: `at most ${CASE_THREADS_MAX - 1} branches and processes at the same time, those of blocks within counted`,
  }));
}
