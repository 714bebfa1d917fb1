/** Which part of a trace is the one address space to replay. */

import { describe, expect, it } from 'vitest';
import { mainProgram } from '../../../src/workload/trace/mmTrace.js';
import { parseStrace } from '../../../src/workload/trace/parseStrace.js';

function program(...lines: readonly string[]) {
  return mainProgram(parseStrace(lines.join('\n'), 'test.strace'));
}

const linesOf = ({ events }: ReturnType<typeof program>) => events.map(({ line }) => line);

describe('the main program', () => {
  it('begins after the last exec of the first process that succeeded', () => {
    const main = program(
      '10 execve("/bin/sh", ["sh"], 0x7ff) = 0',
      '10 brk(NULL) = 0x1000',
      '10 execve("/usr/bin/prog", ["prog"], 0x7ff) = 0',
      '10 brk(NULL) = 0x2000',
      '10 execve("/bin/none", ["none"], 0x7ff) = -1 ENOENT (No such file or directory)',
      '10 munmap(0x10000, 4096) = 0',
    );
    expect(linesOf(main)).toEqual([4, 5, 6]);
    expect(main).toMatchObject({
      fileName: 'test.strace',
      leader: 10,
      pids: [10],
      dropped: { events: 3, pids: [] },
    });
  });

  it('is everything of the first process where there is no exec', () => {
    expect(
      linesOf(program('10 brk(NULL) = 0x1000', '11 brk(NULL) = 0x1000', '10 brk(NULL) = 0x1000')),
    ).toEqual([1, 3]);
  });

  it('has the threads that it and its threads start', () => {
    const main = program(
      '10 brk(NULL) = 0x1000',
      '10 clone(child_stack=0x7f00, flags=CLONE_VM|CLONE_THREAD) = 11',
      '11 clone3({flags=CLONE_VM|CLONE_THREAD, stack=0x7f00}, 88) = 12',
      '12 munmap(0x10000, 4096) = 0',
      '13 munmap(0x10000, 4096) = 0',
    );
    expect(linesOf(main)).toEqual([1, 2, 3, 4]);
    expect(main.pids).toEqual([10, 11, 12]);
    expect(main.dropped).toEqual({ events: 1, pids: [13] });
  });

  it('has no child that forks or vforks, nor what those start', () => {
    const main = program(
      '10 brk(NULL) = 0x1000',
      '10 fork() = 11',
      '10 clone(child_stack=0x7f00, flags=CLONE_VM|CLONE_VFORK|SIGCHLD) = 12',
      '11 clone(child_stack=0x7f00, flags=CLONE_VM|CLONE_THREAD) = 13',
      '12 munmap(0x10000, 4096) = 0',
      '13 munmap(0x10000, 4096) = 0',
    );
    expect(linesOf(main)).toEqual([1, 2, 3]);
    expect(main.dropped).toEqual({ events: 3, pids: [11, 12, 13] });
  });

  it('has a thread whose first call stands before the end of its birth', () => {
    const main = program(
      '10 clone3({flags=CLONE_VM|CLONE_THREAD, stack=0x7f00} <unfinished ...>',
      '11 brk(NULL) = 0x1000',
      '10 <... clone3 resumed> => {parent_tid=[11]}, 88) = 11',
    );
    expect(linesOf(main)).toEqual([1, 2]);
  });

  it('has no threads from before its exec', () => {
    const main = program(
      '10 brk(NULL) = 0x1000',
      '10 clone(child_stack=0x7f00, flags=CLONE_VM|CLONE_THREAD) = 11',
      '11 brk(NULL) = 0x1000',
      '11 execve("/bin/true", ["true"], 0x7ff <unfinished ...>',
      '10 +++ superseded by execve in pid 11 +++',
      '10 <... execve resumed>) = 0',
      '10 brk(NULL) = 0x2000',
      '11 brk(NULL) = 0x3000',
    );
    expect(linesOf(main)).toEqual([7]);
    expect(main.pids).toEqual([10]);
  });

  it('does not take a process for a thread whose number it got', () => {
    const main = program(
      '10 brk(NULL) = 0x1000',
      '10 clone(child_stack=0x7f00, flags=CLONE_VM|CLONE_THREAD) = 11',
      '11 +++ exited with 0 +++',
      '10 fork() = 11',
      '11 munmap(0x10000, 4096) = 0',
    );
    expect(linesOf(main)).toEqual([1, 2, 3, 4]);
  });

  it('has no thread that was never born', () => {
    const main = program(
      '10 brk(NULL) = 0x1000',
      '10 clone(child_stack=0x7f00, flags=CLONE_VM|CLONE_THREAD) = -1 EAGAIN (Resource temporarily unavailable)',
    );
    expect(main.pids).toEqual([10]);
  });
});
