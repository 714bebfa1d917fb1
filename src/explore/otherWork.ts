/** Work of a process that has nothing to do with what is looked for: in front of a program that is minimal it gives shrinking something to take away. */

import type { SubjectSource } from '../bugs/bugOverlay.js';
import { caseSchema } from '../case/caseSchema.js';

const work = { proc: 'p0', buf: 'work' };

/** With memory of its own, on the CPU alone; none of it is left. About 290 steps. */
const otherWork = caseSchema.shape.steps.parse([
  { op: 'mmap', args: { ...work, pages: 32, prot: 'rw', share: 'private', backing: 'anon' } },
  { op: 'cpu_write', args: { ...work, pattern: { p: 'const', v: 1 } } },
  { op: 'mprotect', args: { ...work, prot: 'r' } },
  { op: 'cpu_read', args: work },
  { op: 'mprotect', args: { ...work, prot: 'rw' } },
  { op: 'cpu_write', args: { ...work, pattern: { p: 'const', v: 2 } } },
  { op: 'munmap', args: work },
]);

/** The same program after other work; a scenario as it is. */
export function afterOtherWork(source: SubjectSource): SubjectSource {
  if (source.kind !== 'case') return source;
  const { program } = source;
  return { ...source, program: { ...program, steps: [...otherWork, ...program.steps] } };
}
