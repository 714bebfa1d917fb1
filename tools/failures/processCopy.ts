/**
 * Copies this very process with all that it holds, as fork(2) does: a run can be tried from its middle without its beginning being run again. Linux only.
 *
 * Nothing of the engine but its main thread lives on in a copy, so it must not need another one: `node --single-threaded`, and no files, timers or promises in the copy.
 */

import { readFileSync } from 'node:fs';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const fork: () => number = libc.func('int fork()');
const waitpid: (pid: number, status: [number], options: number) => number = libc.func(
  'int waitpid(int, _Out_ int *, int)',
);
const exitAtOnce: (status: number) => void = libc.func('void _exit(int)');
const madvise: (start: number, bytes: number, advice: number) => number = libc.func(
  'int madvise(uint64_t, uint64_t, int)',
);

const MADV_DOFORK = 11;
const LOWEST = 0x10000;
const SIGNAL_MASK = 0x7f;

/** Where the kernel's own pages begin, which take no advice. */
function vvarStart(): number {
  const line = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .find((mapping) => mapping.includes('[vvar'));
  if (line === undefined) throw new Error('/proc/self/maps names no vvar');
  return Number.parseInt(line, 16);
}

const advisedBytes = vvarStart() - LOWEST;

/** Zero in the copy; its number in the process that made it. */
export function copyProcess(): number {
  // The engine excludes its heap from copies, that of pages which it has mapped since the last one too.
  madvise(LOWEST, advisedBytes, MADV_DOFORK);
  const pid = fork();
  if (pid < 0) throw new Error('the system makes no more copies of this process');
  return pid;
}

export interface CopyEnd {
  readonly pid: number;
  /** Null when a signal ended it. */
  readonly status: number | null;
}

/** Waits until one of the copies has ended. */
export function awaitCopy(): CopyEnd {
  const status: [number] = [0];
  const pid = waitpid(-1, status, 0);
  if (pid < 0) throw new Error('there is no copy to wait for');
  return { pid, status: (status[0] & SIGNAL_MASK) === 0 ? status[0] >> 8 : null };
}

/** Ends a copy, and nothing else of what usually ends with a process. */
export function endCopy(status: number): never {
  exitAtOnce(status);
  throw new Error('the copy lives on');
}
