/** What a process does before it comes to what shows a bug: without it shrinking would have nothing to take away, and a hunt would be easier than it is in earnest. */

const all = { proc: 'p0', buf: 'work' };

/** With memory of its own, on the CPU alone; none of it is left. */
export const otherWork: readonly unknown[] = [
  { op: 'mmap', args: { ...all, pages: 32, prot: 'rw', share: 'private', backing: 'anon' } },
  { op: 'cpu_write', args: { ...all, pattern: { p: 'const', v: 1 } } },
  { op: 'mprotect', args: { ...all, prot: 'r' } },
  { op: 'cpu_read', args: all },
  { op: 'mprotect', args: { ...all, prot: 'rw' } },
  { op: 'cpu_write', args: { ...all, pattern: { p: 'const', v: 2 } } },
  { op: 'munmap', args: all },
];
