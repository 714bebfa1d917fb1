/** That no two cases of a file are called the same: reports tell them apart by suite, name and variant. */

import type { Case } from '../../case/caseSchema.js';
import type { CaseMistake } from './caseMistake.js';

const ONE_EACH = 'a suite, name and variant that no other case of the file has';

export function sameNameMistakes(cases: readonly Case[]): CaseMistake[] {
  const seen = new Set<string>();
  return cases.flatMap(({ suite, name, variant = '' }, i) => {
    const key = JSON.stringify([suite, name, variant]);
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [
      {
        path: [i, 'name'],
        found: `the case ${[suite, name, variant].filter((part) => part !== '').join(' ')} once more`,
        allowed: ONE_EACH,
      },
    ];
  });
}
