/** Which steps must succeed although no expectation names them: a failure then means that the case, or the simulator, is broken. */

import type { Step } from '../../case/opSchemas.js';
import type { StepResult } from '../../case/stepResult.js';

/** Stores and loads that raise a signal end a program, so nobody expects them without saying so. */
const raisesSignal = /^(cpu_|read_bytes|verify_lists|build_lists)/;

/**
 * What prepares the rest of a case; the programs that cases are taken from end when one of these fails. Not among them: `mremap`, which recorded random
 * sequences may aim at holes without looking; device commands, prefetches, advice and hints, which may fail for want of memory; `mlock`, whose limit
 * a program may run into; `exit` and `kill`, after which nothing is left that could look.
 */
const preparations: ReadonlySet<Step['op']> = new Set<Step['op']>([
  'mmap',
  'munmap',
  'mprotect',
  'madvise',
  'fork',
  'file_create',
  'bind_mirror',
]);

/** What is wrong with lists that were followed without an error: not every element was what it should be. Null where nothing is. */
export function brokenLists(step: Step, { ret, value }: StepResult): string | null {
  if (step.op !== 'verify_lists' || ret !== 0) return null;
  const elements = step.args.lists * step.args.length;
  return value === elements ? null : `${value} of ${elements} elements as they should be`;
}

/** Whether the case cannot go on after a step: it failed, has no label, and is none whose failure is the driver's answer to a question. A step of a process that has been ended is left out like the rest of that process. */
export function breaksCase(step: Step, { ret, isOfEnded }: StepResult): boolean {
  if (step.as !== undefined || ret === 0 || isOfEnded) return false;
  return raisesSignal.test(step.op) || preparations.has(step.op);
}
