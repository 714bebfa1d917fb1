/** What a process does before it comes to what shows a bug: programs of the catalogue are the smallest ones, in which a hunt is easier than in earnest and shrinking has nothing to do. */

import { caseSchema } from '../case/caseSchema.js';
import type { BugOverlay } from './bugOverlay.js';

const work = { proc: 'p0', buf: 'work' };

/** With memory of its own, on the CPU alone; none of it is left. */
const otherWork = caseSchema.shape.steps.parse([
  { op: 'mmap', args: { ...work, pages: 32, prot: 'rw', share: 'private', backing: 'anon' } },
  { op: 'cpu_write', args: { ...work, pattern: { p: 'const', v: 1 } } },
  { op: 'mprotect', args: { ...work, prot: 'r' } },
  { op: 'cpu_read', args: work },
  { op: 'mprotect', args: { ...work, prot: 'rw' } },
  { op: 'cpu_write', args: { ...work, pattern: { p: 'const', v: 2 } } },
  { op: 'munmap', args: work },
]);

/** The same bug, in a program that does other work first. */
export function afterOtherWork(bug: BugOverlay): BugOverlay {
  const { subject } = bug;
  if (subject.kind !== 'case') return bug;
  const { program } = subject;
  const steps = [...otherWork, ...program.steps];
  return { ...bug, subject: { kind: 'case', program: { ...program, steps } } };
}
