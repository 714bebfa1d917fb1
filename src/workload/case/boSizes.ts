/** How large each buffer object of a case must be: it is made before the step that needs most of it. */

import type { Step } from '../../case/opSchemas.js';

/** Pages by the name of the object. */
export function boSizes(steps: readonly Step[]): Map<string, number> {
  const sizes = new Map<string, number>();
  collect(steps, sizes);
  return sizes;
}

function collect(steps: readonly Step[], sizes: Map<string, number>): void {
  for (const step of steps) {
    if (step.op === 'concurrent') for (const branch of step.args.branches) collect(branch, sizes);
    else if (step.op === 'repeat' || step.op === 'repeat_processes') collect(step.args.steps, sizes);
    else need(sizes, step);
  }
}

function need(sizes: Map<string, number>, step: Step): void {
  const grow = (name: string | null, pages: number): void => {
    if (name !== null) sizes.set(name, Math.max(sizes.get(name) ?? 1, pages));
  };
  switch (step.op) {
    case 'gpuvm_insert':
    case 'gpuvm_sm_map':
    case 'gpuvm_bind_bo':
      grow(step.args.bo, step.args.bo_off + step.args.end - step.args.start);
      break;
    case 'bo_load32':
      grow(step.args.bo, step.args.page + 1);
      break;
    case 'bo_fill':
      grow(step.args.bo, step.args.off + step.args.pages);
      break;
  }
}
