/** How many threads the blocks of a case need, nested ones included, and which blocks a case cannot have. */

import type { Step } from './opSchemas.js';

/** Threads of one case, the first one included: each has a transfer buffer as large as the largest buffer of the case. */
export const CASE_THREADS_MAX = 64;

/** Threads beside the one that carries out the steps. Blocks that follow one another use the same ones. */
export function threadsBeside(steps: readonly Step[]): number {
  return steps.reduce((most, step) => Math.max(most, threadsOfBlock(step)), 0);
}

function threadsOfBlock(step: Step): number {
  switch (step.op) {
    case 'concurrent':
      return step.args.branches.reduce((sum, branch) => sum + 1 + threadsBeside(branch), 0);
    case 'repeat':
      return threadsBeside(step.args.steps);
    case 'repeat_processes':
      return step.args.count * (1 + threadsBeside(step.args.steps));
    default:
      return 0;
  }
}

/** Where steps within steps stand in a case. */
export type StepPath = readonly (string | number)[];

/** Paths of the outermost blocks that need more threads than there can be. */
export function tooWideBlocks(steps: readonly Step[], path: StepPath): StepPath[] {
  return steps.flatMap((step, i) =>
    1 + threadsOfBlock(step) > CASE_THREADS_MAX ? [[...path, i, 'args']] : [],
  );
}
