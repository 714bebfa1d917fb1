/** A small program whose threads talk by pipes and meet at locks: what stops in its middle leaves tasks waiting everywhere. */

import { type Case, caseSchema } from '../../src/case/caseSchema.js';
import { type Subject, subjectOf } from '../../src/explore/subject.js';

function program(): Case {
  const cpuRead = { op: 'cpu_read', args: { buf: 'A' } };
  return caseSchema.parse({
    suite: 'made-up',
    name: 'two threads read what migrated',
    steps: [
      { op: 'bind_mirror', args: { dev: 'gpu0' } },
      { op: 'mmap', args: { buf: 'A', pages: 2, prot: 'rw', share: 'private', backing: 'anon' } },
      { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 1 } } },
      { op: 'migrate_to_device', args: { dev: 'gpu0', buf: 'A' } },
      { op: 'concurrent', args: { branches: [[cpuRead], [cpuRead]] } },
    ],
    expect: [],
  });
}

export function talkingProgram(): Subject {
  return subjectOf({ kind: 'case', program: program() });
}
