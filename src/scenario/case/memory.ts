/** That a machine can have the memory that a case needs. */

import { constants } from 'node:buffer';
import { PAGE_BYTES } from '../../base/units.js';
import type { Case } from '../../case/caseSchema.js';
import { PFN_MAX } from '../../memory/pfn.js';
import { type CaseMemory, caseMemory } from '../../simulation/case/caseMemory.js';
import { formatRoundedSize } from '../quantities.js';
import type { CaseMistake } from './caseMistake.js';
import { eachStep } from './eachStep.js';
import type { JsonPath } from './jsonPlace.js';

const PHYSICAL_BYTES_MAX = (PFN_MAX + 1) * PAGE_BYTES;

/** Those of one case, which stands at `path`; `arrayBytesMax` is the largest array that this Node has. */
export function memoryMistakes(
  one: Case,
  path: JsonPath,
  arrayBytesMax = constants.MAX_LENGTH,
): CaseMistake[] {
  const vramBytes = one.params?.vram_bytes;
  if (vramBytes !== undefined && !isSize(vramBytes))
    return [{ path: [...path, 'params', 'vram_bytes'], allowed: 'a whole number of bytes of at least 1' }];
  const mistake = tooMuch(caseMemory(one), arrayBytesMax);
  return mistake === null ? [] : [{ path: largestSize(one, [...path, 'steps']), ...mistake }];
}

function isSize(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}

function tooMuch(
  { physicalBytes, transferBytes }: CaseMemory,
  arrayBytesMax: number,
): Pick<CaseMistake, 'found' | 'allowed'> | null {
  const most = Math.min(PHYSICAL_BYTES_MAX, arrayBytesMax);
  const limit =
    most === PHYSICAL_BYTES_MAX
      ? 'which is what a machine can have'
      : `the largest array of Node ${process.versions.node}`;
  const allowed = `at most ${formatRoundedSize(most)}, ${limit}`;
  if (physicalBytes > most) {
    const found = `a case that needs ${formatRoundedSize(physicalBytes)} of RAM and VRAM for all that it maps`;
    return { found, allowed };
  }
  if (transferBytes <= arrayBytesMax) return null;
  const found = `a case whose threads need ${formatRoundedSize(transferBytes)} for what they hand to devices`;
  return { found, allowed };
}

/** Where the most pages are asked for. */
function largestSize({ steps }: Case, path: JsonPath): JsonPath {
  let largest = 0;
  let place = path;
  eachStep(steps, path, (step, at) => {
    if (step.op !== 'mmap' && step.op !== 'file_create' && step.op !== 'alloc_and_register') return;
    const { pages = 0 } = step.args;
    if (pages <= largest) return;
    largest = pages;
    place = [...at, 'args', 'pages'];
  });
  return place;
}
