/** What strace prints, and the memory calls that it means. */

import { describe, expect, it } from 'vitest';
import { vpn } from '../../../src/base/units.js';
import type { MmCall, MmEvent } from '../../../src/workload/trace/mmCall.js';
import type { MmTrace } from '../../../src/workload/trace/mmTrace.js';
import { parseStrace } from '../../../src/workload/trace/parseStrace.js';

function parse(...lines: readonly string[]): MmTrace {
  return parseStrace(`${lines.join('\n')}\n`, 'test.strace');
}

/** The event of a trace that has one. */
function event(...lines: readonly string[]): MmEvent {
  const { events } = parse(...lines);
  expect(events).toHaveLength(1);
  const [only] = events;
  if (only === undefined) throw new Error('no event');
  return only;
}

/** The call of a line without process and time; a brk beside it makes any trace one of memory. */
function call(line: string): MmCall {
  const [first] = parse(line, 'brk(NULL) = 0x1000').events;
  if (first === undefined) throw new Error('no event');
  return first.call;
}

const page = (address: number) => vpn(address / 4096);
const kinds = ({ events }: MmTrace) => events.map(({ pid, call: { kind } }) => `${pid} ${kind}`);

describe('memory calls', () => {
  it('decodes mmap', () => {
    expect(
      call(
        'mmap(0x7f588d3d5000, 1400832, PROT_READ|PROT_EXEC, MAP_PRIVATE|MAP_FIXED|MAP_DENYWRITE, 3, 0x26000) = 0x7f588d3d5000',
      ),
    ).toEqual({
      kind: 'mmap',
      hint: page(0x7f588d3d5000),
      npages: 342,
      prot: { read: true, write: false, exec: true },
      flags: {
        shared: false,
        anonymous: false,
        fixed: true,
        noReplace: false,
        noreserve: false,
        stack: false,
        growsDown: false,
        populate: false,
        locked: false,
        hugetlb: false,
      },
      fd: 3,
      offsetPages: 0x26,
      result: page(0x7f588d3d5000),
    });
  });

  it.each([
    ['MAP_SHARED', { shared: true }],
    ['MAP_SHARED_VALIDATE|MAP_SYNC', { shared: true }],
    ['MAP_PRIVATE', { shared: false }],
    ['MAP_PRIVATE|MAP_ANONYMOUS', { anonymous: true }],
    ['MAP_PRIVATE|MAP_ANON', { anonymous: true }],
    ['MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE', { anonymous: true, noreserve: true }],
    ['MAP_PRIVATE|MAP_STACK|MAP_GROWSDOWN', { stack: true, growsDown: true }],
    ['MAP_PRIVATE|MAP_FIXED_NOREPLACE', { fixed: false, noReplace: true }],
    ['MAP_PRIVATE|MAP_LOCKED|MAP_POPULATE', { locked: true, populate: true }],
    ['MAP_PRIVATE|MAP_HUGETLB|21<<MAP_HUGE_SHIFT', { hugetlb: true }],
    ['0x22', { anonymous: true, shared: false }],
    ['MAP_PRIVATE|0x20', { anonymous: true, shared: false }],
    ['MAP_SHARED|16', { fixed: true, shared: true }],
    ['MAP_PRIVATE|0x10000000', { shared: false, anonymous: false }],
    ['0x100022 /* MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED_NOREPLACE */', { anonymous: true, noReplace: true }],
  ])('decodes the flags %s', (text, flags) => {
    expect(call(`mmap(NULL, 4096, PROT_NONE, ${text}, -1, 0) = 0x10000`)).toMatchObject({ flags });
  });

  it.each([
    ['PROT_NONE', false, false, false],
    ['PROT_READ', true, false, false],
    ['PROT_READ|PROT_WRITE', true, true, false],
    ['PROT_READ|PROT_WRITE|PROT_EXEC|PROT_SEM', true, true, true],
    ['PROT_READ|0x10000000', true, false, false],
    ['0x5', true, false, true],
    ['0 /* PROT_NONE */', false, false, false],
    ['0x3 /* PROT_READ|PROT_WRITE */', true, true, false],
  ])('decodes the protection %s', (text, read, write, exec) => {
    expect(call(`mprotect(0x10000, 8192, ${text}) = 0`)).toEqual({
      kind: 'mprotect',
      start: 16,
      npages: 2,
      prot: { read, write, exec },
      growsDown: false,
    });
  });

  it('tells a stack that grows down in mprotect', () => {
    expect(call('mprotect(0x10000, 4096, PROT_READ|PROT_WRITE|PROT_GROWSDOWN) = 0')).toMatchObject({
      growsDown: true,
    });
  });

  it('takes pkey_mprotect for mprotect, its key aside', () => {
    expect(call('pkey_mprotect(0x10000, 4096, PROT_READ, -1) = 0')).toMatchObject({
      kind: 'mprotect',
      start: 16,
    });
  });

  it('rounds lengths up to pages, and a hint that is no page address down to one', () => {
    expect(call('munmap(0x10000, 34547) = 0')).toEqual({ kind: 'munmap', start: 16, npages: 9 });
    expect(call('munmap(0x10000, 0x2001) = 0')).toEqual({ kind: 'munmap', start: 16, npages: 3 });
    expect(call('mmap(0x12345, 1, PROT_READ, MAP_PRIVATE, 3, 0) = 0x12000')).toMatchObject({
      hint: 0x12,
      npages: 1,
      result: 0x12,
    });
    expect(call('mprotect(0x10000, 0, PROT_READ) = 0')).toMatchObject({ npages: 0 });
  });

  it('tells NULL, anywhere, from address 0', () => {
    expect(call('mmap(NULL, 1, PROT_READ, MAP_PRIVATE, 3, 0) = 0x12000')).toMatchObject({ hint: null });
    expect(call('mmap(0, 1, PROT_READ, MAP_PRIVATE|MAP_FIXED, 3, 0) = 0')).toMatchObject({
      hint: 0,
      result: 0,
    });
  });

  it.each([
    ['MADV_DONTNEED', 'dontneed'],
    ['MADV_HUGEPAGE', 'hugepage'],
    ['MADV_POPULATE_WRITE', 'populate_write'],
    ['MADV_DONTNEED_LOCKED', 'dontneed_locked'],
    ['MADV_GUARD_INSTALL', 'guard_install'],
    ['0x8 /* MADV_FREE */', 'free'],
    ['0x19', 'collapse'],
    ['0x4d /* MADV_??? */', 'unknown'],
  ])('decodes the advice %s', (text, advice) => {
    expect(call(`madvise(0x10000, 8192, ${text}) = 0`)).toEqual({
      kind: 'madvise',
      start: 16,
      npages: 2,
      advice,
    });
  });

  it('decodes mremap with four and with five arguments', () => {
    expect(call('mremap(0x20000, 65536, 131072, MREMAP_MAYMOVE) = 0x40000')).toEqual({
      kind: 'mremap',
      from: 0x20,
      fromPages: 16,
      toPages: 32,
      flags: { mayMove: true, fixed: false, dontUnmap: false },
      target: null,
      result: 0x40,
    });
    expect(call('mremap(0x20000, 4096, 4096, MREMAP_MAYMOVE|MREMAP_FIXED, 0x80000) = 0x80000')).toMatchObject(
      {
        flags: { mayMove: true, fixed: true, dontUnmap: false },
        target: 0x80,
        result: 0x80,
      },
    );
    expect(call('mremap(0x20000, 4096, 4096, 0x5) = 0x80000')).toMatchObject({
      flags: { mayMove: true, fixed: false, dontUnmap: true },
    });
    expect(call('mremap(0x20000, 8192, 4096, 0) = 0x20000')).toMatchObject({ flags: { mayMove: false } });
  });

  it('keeps the bytes of brk, whose break need not be a page address', () => {
    expect(call('brk(NULL)       = 0x1c1d0123')).toEqual({
      kind: 'brk',
      requestBytes: null,
      breakBytes: 0x1c1d0123,
    });
    expect(call('brk(0x1c1f1000) = 0x1c1f1000')).toEqual({
      kind: 'brk',
      requestBytes: 0x1c1f1000,
      breakBytes: 0x1c1f1000,
    });
  });

  it('knows a refused brk by the break that it leaves', () => {
    expect(event('brk(0x10) = 0x1c1f1000')).toMatchObject({
      call: { requestBytes: 0x10, breakBytes: 0x1c1f1000 },
      errno: null,
    });
  });
});

describe('processes and threads', () => {
  it.each([
    ['fork()', 'fork'],
    ['vfork()', 'vfork'],
    [
      'clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f10)',
      'fork',
    ],
    ['clone(child_stack=NULL, flags=SIGCHLD)', 'fork'],
    ['clone(child_stack=0x7f00, flags=CLONE_VM|CLONE_VFORK|SIGCHLD)', 'vfork'],
    [
      'clone(child_stack=0x7f00, flags=CLONE_VM|CLONE_FS|CLONE_THREAD, parent_tid=[7], tls=0x7f6c0, child_tidptr=0x7f10)',
      'thread',
    ],
    ['clone(child_stack=NULL, flags=0x1200000|17, child_tidptr=0x7f10)', 'fork'],
    ['clone(child_stack=0x7f00, flags=0x4100 /* CLONE_VM|CLONE_VFORK */|17 /* SIGCHLD */)', 'vfork'],
    ['clone(0x3d0f00, 0x7f00, 0x7f10, 0x7f20, 0x7f30)', 'thread'],
    [
      'clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD, child_tid=0x7f90, parent_tid=0x7f90, exit_signal=0, stack=0x7f00, stack_size=0x7fff80, tls=0x76c0} => {parent_tid=[7]}, 88)',
      'thread',
    ],
    [
      'clone3({flags=CLONE_VM|CLONE_VFORK|CLONE_CLEAR_SIGHAND, exit_signal=SIGCHLD, stack=0x7f00, stack_size=0x9000}, 88)',
      'vfork',
    ],
    ['clone3({flags=0x100004100, exit_signal=17, stack=0x7f00, stack_size=0x9000}, 88)', 'vfork'],
    ['clone3({flags=0, exit_signal=SIGCHLD, stack=NULL, stack_size=0}, 64)', 'fork'],
  ])('takes %s for a %s', (text, kind) => {
    expect(call(`${text} = 7`)).toEqual({ kind, child: 7 });
  });

  it('reads the child over what strace adds to its id', () => {
    expect(call('fork() = 3533<sh>')).toEqual({ kind: 'fork', child: 3533 });
    expect(call("fork() = 3533 /* 5 in strace's PID NS */")).toEqual({ kind: 'fork', child: 3533 });
  });

  it('joins the two halves of a clone', () => {
    const trace = parse(
      '10 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD <unfinished ...>',
      '11 brk(NULL) = 0x1000',
      '10 <... clone resumed>, child_tidptr=0x7f10) = 11',
      '10 clone3({flags=CLONE_VM|CLONE_FS, stack=0x7f00} <unfinished ...>',
      '10 <... clone3 resumed> => {parent_tid=[12]}, 88) = 12',
    );
    expect(trace.events.map((each) => each.call)).toMatchObject([
      { kind: 'fork', child: 11 },
      { kind: 'brk' },
      { kind: 'thread', child: 12 },
    ]);
  });

  it('keeps failed births apart', () => {
    const trace = parse(
      'clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD}, 88) = -1 ENOSYS (Function not implemented)',
      'clone3(NULL, 0) = -1 EINVAL (Invalid argument)',
      'brk(NULL) = 0x1000',
    );
    expect(trace.events.slice(0, 2)).toMatchObject([
      { call: { kind: 'vfork', child: null }, errno: 'ENOSYS' },
      { call: { kind: 'fork', child: null }, errno: 'EINVAL' },
    ]);
  });

  it('reads the path of an exec, not what looks like a call in its arguments', () => {
    expect(
      call(
        'execve("/bin/a \\"b\\"", ["mmap(NULL, 4) = 3", "a (b), <unfinished ...>"], 0x7ffd /* 35 vars */) = 0',
      ),
    ).toEqual({ kind: 'exec', path: '/bin/a \\"b\\"' });
    expect(call('execveat(3, "", ["x"], 0x7ffd /* 1 var */, AT_EMPTY_PATH) = 0')).toEqual({
      kind: 'exec',
      path: '',
    });
  });

  it('ends a thread once: by its exit call, or else by the line that says so', () => {
    const trace = parse(
      '10 brk(NULL) = 0x1000',
      '11 exit(0)           = ?',
      '11 +++ exited with 0 +++',
      '12 exit(0 <unfinished ...>',
      '12 <... exit resumed>) = ?',
      '12 +++ exited with 0 +++',
      '13 +++ killed by SIGSEGV (core dumped) +++',
      '14 +++ exited with 3 +++',
      '15 exit_group(4 <unfinished ...>',
      '15 +++ exited with 4 +++',
      '10 exit_group(1) = ?',
      '10 +++ exited with 1 +++',
    );
    expect(trace.events.slice(1).map(({ pid, line, call: made }) => ({ pid, line, ...made }))).toEqual([
      { pid: 11, line: 2, kind: 'exit', wholeProcess: false, status: 0, signal: null },
      { pid: 12, line: 4, kind: 'exit', wholeProcess: false, status: 0, signal: null },
      { pid: 13, line: 7, kind: 'exit', wholeProcess: false, status: null, signal: 'SIGSEGV' },
      { pid: 14, line: 8, kind: 'exit', wholeProcess: false, status: 3, signal: null },
      { pid: 15, line: 9, kind: 'exit', wholeProcess: true, status: 4, signal: null },
      { pid: 10, line: 11, kind: 'exit', wholeProcess: true, status: 1, signal: null },
    ]);
    expect(trace.ignored).toEqual(new Map());
  });

  it('ends a thread that has the id of one which has ended', () => {
    const trace = parse(
      '10 brk(NULL) = 0x1000',
      '10 clone(child_stack=NULL, flags=CLONE_VM|SIGCHLD) = 11',
      '11 exit(0) = ?',
      '11 +++ exited with 0 +++',
      '10 clone(child_stack=NULL, flags=CLONE_VM|SIGCHLD) = 11',
      '11 +++ killed by SIGKILL +++',
    );
    expect(kinds(trace)).toEqual(['10 brk', '10 thread', '11 exit', '10 thread', '11 exit']);
  });

  it('follows a thread whose exec takes over its leader', () => {
    const trace = parse(
      '10 brk(NULL) = 0x1000',
      '11 execve("/bin/true", ["true"], 0x7ff /* 3 vars */ <unfinished ...>',
      '10 +++ superseded by execve in pid 11 +++',
      '10 <... execve resumed>) = 0',
      '10 exit_group(0) = ?',
    );
    expect(kinds(trace)).toEqual(['10 brk', '10 exec', '10 exit']);
    expect(trace.events[1]).toMatchObject({ line: 2, errno: null });
  });

  it('follows it too where strace only says that the id changed', () => {
    const trace = parse(
      '10 brk(NULL) = 0x1000',
      '11 execve("/bin/true", ["true"], 0x7ff /* 3 vars */ <pid changed to 10 ...>',
      '10 <... execve resumed>) = 0',
    );
    expect(kinds(trace)).toEqual(['10 brk', '10 exec']);
  });
});

describe('results', () => {
  it('names the error of a failed call and keeps what it asked for', () => {
    expect(
      event(
        'mmap(NULL, 18446744073709551615, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = -1 ENOMEM (Cannot allocate memory)',
      ),
    ).toMatchObject({ call: { kind: 'mmap', npages: 2 ** 52, result: null }, errno: 'ENOMEM' });
    expect(event('munmap(0x10001, 4096) = -1 EINVAL (Invalid argument)')).toMatchObject({
      call: { kind: 'munmap', start: 16, npages: 1 },
      errno: 'EINVAL',
    });
    expect(event('munmap(0xfffffffffffff000, 4096) = -1 EINVAL (Invalid argument)').errno).toBe('EINVAL');
    expect(event('mmap(NULL, 8192, PROT_READ, MAP_FILE, -1, 0) = -1 EBADF (Bad file descriptor)').errno).toBe(
      'EBADF',
    );
    expect(event('mremap(0x1000, 4096, 8192, MREMAP_MAYMOVE) = -1 EFAULT (Bad address)')).toMatchObject({
      call: { result: null },
      errno: 'EFAULT',
    });
    expect(event('munmap(0x10000, 4096) = -1 (errno 600)').errno).toBe('errno 600');
  });

  it('reads over the time that -T adds', () => {
    expect(event('munmap(0x10000, 4096) = 0 <0.000012>').errno).toBeNull();
    expect(event('munmap(0x10000, 0) = -1 EINVAL (Invalid argument) <0.000012>').errno).toBe('EINVAL');
  });

  it('drops and counts a memory call whose result nobody saw', () => {
    const trace = parse(
      '10 brk(NULL) = 0x1000',
      '10 munmap(0x10000, 4096) = ?',
      '10 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0) = ? ERESTARTSYS (To be restarted)',
      '11 mremap(0x20000, 4096, 8192, MREMAP_MAYMOVE <unfinished ...>',
      '11 +++ killed by SIGKILL +++',
      '10 munmap(0x20000, 4096 <unfinished ...>',
    );
    expect(kinds(trace)).toEqual(['10 brk', '11 exit']);
    expect(trace.ignored).toEqual(
      new Map([
        ['munmap', 2],
        ['mmap', 1],
        ['mremap', 1],
      ]),
    );
    // One of the four is called again by the kernel, and would have its result there.
    expect(trace.withoutResult).toBe(3);
  });
});

describe('unfinished and resumed', () => {
  it('of a trace that begins in the middle of a call: those that say nothing of memory are counted, others refused', () => {
    const trace = parseStrace('10 <... futex resumed>) = 0\n10 brk(NULL) = 0x1000\n', 'cut.strace');
    expect([trace.events.length, trace.ignored.get('futex')]).toEqual([1, 1]);
    expect(() => parseStrace('10 <... munmap resumed>) = 0\n', 'cut.strace')).toThrow('no unfinished call');
  });

  it('joins the halves, whatever comes between', () => {
    const trace = parse(
      '10 1000000000.000001 munmap(0x10000, 4096 <unfinished ...>',
      '11 1000000000.000002 munmap(0x20000, 4096 <unfinished ...>',
      '10 1000000000.000003 <... munmap resumed>) = 0',
      '11 1000000000.000004 <... munmap resumed>) = -1 EINVAL (Invalid argument)',
    );
    expect(trace.events).toEqual([
      { pid: 10, atUs: 0, line: 1, call: { kind: 'munmap', start: 16, npages: 1 }, errno: null },
      { pid: 11, atUs: 1, line: 2, call: { kind: 'munmap', start: 32, npages: 1 }, errno: 'EINVAL' },
    ]);
  });

  it('reads the blank that old versions print before the bracket', () => {
    expect(
      event('10 munmap(0x10000, 4096 <unfinished ...>', '10 <... munmap resumed> ) = 0').errno,
    ).toBeNull();
  });

  it('drops a call that is cut again when strace lets go of the process', () => {
    const trace = parse(
      '10 brk(NULL) = 0x1000',
      '10 munmap(0x10000, 4096 <unfinished ...>',
      '10 <... munmap resumed> <detached ...>',
    );
    expect(kinds(trace)).toEqual(['10 brk']);
    expect(trace.ignored).toEqual(new Map([['munmap', 1]]));
  });

  it('joins calls without arguments, and calls cut before their first', () => {
    const trace = parse(
      '10 vfork( <unfinished ...>',
      '11 brk(NULL) = 0x1000',
      '10 <... vfork resumed>) = 11',
    );
    expect(kinds(trace)).toEqual(['10 vfork', '11 brk']);
  });

  it('lets a call stand where it started, and one that hands out memory where it ended', () => {
    const trace = parse(
      '10 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0 <unfinished ...>',
      '11 munmap(0x10000, 4096 <unfinished ...>',
      '10 <... mmap resumed>) = 0x10000',
      '11 <... munmap resumed>) = 0',
    );
    expect(kinds(trace)).toEqual(['11 munmap', '10 mmap']);
  });

  it('lets mremap stand before the call that was handed its old pages', () => {
    const trace = parse(
      '10 mremap(0x10000, 8192, 8192, MREMAP_MAYMOVE <unfinished ...>',
      '11 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0) = 0x30000',
      '11 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0) = 0x11000',
      '10 <... mremap resumed>) = 0x50000',
    );
    expect(trace.events.map(({ line }) => line)).toEqual([2, 1, 3]);
  });
});

describe('what is not a memory call', () => {
  it('is counted by name, whatever its arguments hold', () => {
    const trace = parse(
      '10 brk(NULL) = 0x1000',
      '10 openat(AT_FDCWD, "/tmp/we, (ird) = <a>> \\"f", O_RDWR|O_CREAT, 0600) = 3',
      '10 write(3, "mmap(NULL, 4) = 3 <unfinished ...>", 20) = 20',
      '10 read(3, "\\177ELF\\2\\1\\1\\0)) = "..., 832) = 832',
      '10 poll([{fd=3, events=POLLIN}], 1, -1) = 1 ([{fd=3, revents=POLLIN}])',
      '10 restart_syscall(<... resuming interrupted read ...>) = 0',
      '10 syscall_0x3e7(0x1, 0x2) = -1 ENOSYS (Function not implemented)',
      '10 write(3, "a", 1 <unfinished ...>',
      '11 ????( <unfinished ...>',
      '10 <... write resumed>) = 1',
      '11 <... ???? resumed>) = ?',
    );
    expect(trace.events).toHaveLength(1);
    expect(Object.fromEntries(trace.ignored)).toEqual({
      openat: 1,
      write: 2,
      read: 1,
      poll: 1,
      restart_syscall: 1,
      syscall_0x3e7: 1,
      '????': 1,
    });
  });

  it('is a signal, a stop, a stack frame, a dump, a message of strace, or an empty line', () => {
    const trace = parse(
      '10 brk(NULL) = 0x1000',
      ' > /usr/lib/ld-linux-x86-64.so.2(_dl_catch_error+0x26f0) [0x1ab70]',
      '10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_utime=2 /* 0.02 s */} ---',
      '10 --- stopped by SIGSTOP ---',
      ' | 00000  6d 6d 61 70 28 4e 55 4c  4c 2c 20 34 29 20 3d 20  mmap(NULL, 4) =  |',
      'strace: Exit of unknown pid 12 ignored',
      '[ Process PID=10 runs in 32 bit mode. ]',
      '',
    );
    expect(kinds(trace)).toEqual(['10 brk']);
    expect(trace.ignored).toEqual(new Map());
  });

  it('is the decoration that -y adds to descriptors', () => {
    for (const fd of ['3</lib/x>', '3</tmp/a, (b) = \\74c\\76>(deleted)', '5</dev/zero<char 1:5>>']) {
      expect(call(`mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, ${fd}, 0x1000) = 0x10000`)).toMatchObject({
        fd: Number(fd[0]),
        offsetPages: 1,
        result: 16,
      });
    }
  });
});

describe('who', () => {
  it('is the column of -o, with or without padding', () => {
    expect(kinds(parse('7     brk(NULL) = 0x1000', '13955 brk(NULL) = 0x1000'))).toEqual([
      '7 brk',
      '13955 brk',
    ]);
  });

  it('is the command as well with -Y', () => {
    expect(kinds(parse('3528<a b> brk(NULL) = 0x1000', '[pid  3529<t>] brk(NULL) = 0x1000'))).toEqual([
      '3528 brk',
      '3529 brk',
    ]);
  });

  it('is nobody, 0, in a trace without processes', () => {
    const trace = parse('brk(NULL) = 0x1000', 'exit_group(0) = ?', '+++ exited with 0 +++');
    expect(kinds(trace)).toEqual(['0 brk', '0 exit']);
    expect(trace.pids).toEqual([0]);
  });

  it('is the first process before strace starts to name them', () => {
    const trace = parse(
      'brk(NULL)                               = 0x1000',
      'clone(child_stack=NULL, flags=SIGCHLDstrace: Process 11 attached',
      ', child_tidptr=0x7f10) = 11',
      '[pid    11] munmap(0x10000, 4096)       = 0',
      '[pid    10] munmap(0x20000, 4096)       = 0',
      '[pid    11] +++ exited with 0 +++',
      '--- SIGCHLD {si_signo=SIGCHLD} ---',
      'munmap(0x30000, 4096)                   = 0',
    );
    expect(kinds(trace)).toEqual(['10 brk', '10 fork', '11 munmap', '10 munmap', '11 exit', '10 munmap']);
    expect(trace.events[1]).toMatchObject({ line: 2 });
    expect(trace.pids).toEqual([10, 11]);
  });

  it('is the child where the unnamed process is still inside its clone', () => {
    const trace = parse(
      'vfork( <unfinished ...>',
      '[pid    11] brk(NULL) = 0x1000',
      '[pid    10] <... vfork resumed>) = 11',
      '[pid    10] brk(NULL) = 0x2000',
    );
    expect(kinds(trace)).toEqual(['10 vfork', '11 brk', '10 brk']);
  });

  it('is the last one left when strace stops naming it', () => {
    const trace = parse(
      'fork()                                  = 11',
      '[pid    11] brk(NULL)                   = 0x1000',
      '[pid    10] exit_group(0)               = ?',
      '[pid    10] +++ exited with 0 +++',
      'brk(NULL)                               = 0x2000',
    );
    expect(kinds(trace)).toEqual(['10 fork', '11 brk', '10 exit', '11 brk']);
  });

  it('is not a child that had ended by the time its birth was reported', () => {
    const trace = parse(
      'vfork(strace: Process 11 attached',
      ' <unfinished ...>',
      '[pid    11] exit_group(1)               = ?',
      '[pid    11] +++ exited with 1 +++',
      '<... vfork resumed>)                    = 11',
      'brk(NULL)                               = 0x1000',
      'exit_group(0)                           = ?',
      '+++ exited with 0 +++',
    );
    expect(kinds(trace)).toEqual(['0 vfork', '11 exit', '0 brk', '0 exit']);
  });

  it('is the first process named, if all have ended', () => {
    const trace = parse(
      '[pid    10] brk(NULL) = 0x1000',
      '[pid    10] exit_group(0) = ?',
      '+++ exited with 0 +++',
    );
    expect(kinds(trace)).toEqual(['10 brk', '10 exit']);
    expect(trace.pids).toEqual([10]);
  });

  it('survives an announcement in the middle of any line', () => {
    const trace = parse(
      '[pid    10] mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0strace: Process 12 attached',
      ') = 0x10000',
      '[pid    10] munmap(0x10000, strace: Process 10 detached',
      'strace: Process 12 detached',
      ' <detached ...>',
    );
    expect(kinds(trace)).toEqual(['10 mmap']);
    expect(trace.ignored).toEqual(new Map([['munmap', 1]]));
  });
});

describe('when', () => {
  const times = (...lines: readonly string[]) => parse(...lines).events.map(({ atUs }) => atUs);

  it('is microseconds since the first event began, for -ttt', () => {
    expect(
      times(
        '10 1795212017.999999 openat(3) = 4',
        '10 1795212018.000001 brk(NULL) = 0x1000',
        '10 1795212019.000003 brk(NULL) = 0x1000',
      ),
    ).toEqual([0, 1_000_002]);
  });

  it('is of the same day where lines of several threads are a little out of order', () => {
    const lines = ['10 12:00:01.100000 brk(NULL) = 0x1000', '11 12:00:00.900000 brk(NULL) = 0x1000'];
    expect(times(...lines, '10 12:00:03.100000 brk(NULL) = 0x1000')).toEqual([200_000, 0, 2_200_000]);
  });

  it.each([
    ['10 1795212018.000001', '10 1795212017.999999'],
    ['10 12:00:03.1', '10 12:00:03.000000'],
    ['12:00:03', '12:00:02'],
  ])('must not fall within a thread: %s, then %s', (first, second) => {
    const between = `${first.replace(/^10/, '11')} brk(NULL) = 0x1000`;
    const stamp = (leader: string): string => leader.replace(/^10 /, '');
    expect(() => parse(`${first} brk(NULL) = 0x1000`, between, `${second} openat(3) = 4`)).toThrow(
      `test.strace:3: found the time ${stamp(second)} after ${stamp(first)} in the same thread; allowed: times that do not fall`,
    );
  });

  it('may fall from one thread to another, which is counted', () => {
    const lines = ['10 1795212018.0', '11 1795212017.0', '10 1795212018.0', '11 1795212019.0'];
    expect(parse(...lines.map((leader) => `${leader} brk(NULL) = 0x1000`)).backwards).toBe(1);
    expect(parse('10 0.000100 brk(NULL) = 0x1000', '10 0.000001 brk(NULL) = 0x1000').backwards).toBe(0);
  });

  it('is the same for -tt, over midnight too, and for whole seconds', () => {
    expect(times('23:59:59.500000 brk(NULL) = 0x1000', '00:00:00.250000 brk(NULL) = 0x1000')).toEqual([
      0, 750_000,
    ]);
    expect(times('10 12:00:01 brk(NULL) = 0x1000', '10 12:01:02 brk(NULL) = 0x1000')).toEqual([
      0, 61_000_000,
    ]);
    expect(times('1795212017 brk(NULL) = 0x1000', '1795212019 brk(NULL) = 0x1000')).toEqual([0, 2_000_000]);
  });

  it('adds up the steps of -r, those of other lines included', () => {
    expect(
      times(
        '10       0.000000 brk(NULL) = 0x1000',
        '10       0.000100 openat(3) = 4',
        '10       0.000020 brk(NULL) = 0x1000',
      ),
    ).toEqual([0, 120]);
    expect(times('     0.000000 brk(NULL) = 0x1000', '     1.000001 brk(NULL) = 0x1000')).toEqual([
      0, 1_000_001,
    ]);
  });

  it('prefers the absolute time where both are printed', () => {
    expect(
      times(
        '10 1795212017.000000 (+     0.000000) brk(NULL) = 0x1000',
        '10 1795212017.000007 (+     0.000005) brk(NULL) = 0x1000',
      ),
    ).toEqual([0, 7]);
  });

  it('keeps milli- and nanoseconds', () => {
    expect(times('12:00:00.001 brk(NULL) = 0x1000', '12:00:00.003 brk(NULL) = 0x1000')).toEqual([0, 2000]);
    expect(times('1000000000.000000000 brk(NULL) = 0', '1000000000.000001500 brk(NULL) = 0')).toEqual([
      0, 1.5,
    ]);
  });

  it('is when the call started, not when it was resumed', () => {
    expect(
      times(
        '10 1000000000.000000 brk(NULL) = 0x1000',
        '10 1000000000.000005 brk(NULL <unfinished ...>',
        '10 1000000000.000009 <... brk resumed>) = 0x1000',
      ),
    ).toEqual([0, 5]);
  });

  it('is 0 throughout in a trace without times', () => {
    expect(times('10 brk(NULL) = 0x1000', '10 brk(0x2000) = 0x2000')).toEqual([0, 0]);
  });

  it('is never negative where overlapping calls stand in order of effect', () => {
    expect(
      times(
        '10 1000000000.000003 mmap(NULL, 1, PROT_READ, MAP_PRIVATE, 3, 0 <unfinished ...>',
        '11 1000000000.000005 brk(NULL) = 0x1000',
        '10 1000000000.000007 <... mmap resumed>) = 0x10000',
      ),
    ).toEqual([2, 0]);
  });
});

describe('the rest of a line', () => {
  it('may begin with the number of the call (-n) and the instruction pointer (-i)', () => {
    const trace = parse(
      '3510       0.000000 [  12] [00007f090467dc47] brk(NULL) = 0x1000',
      '3510       0.000000 [  11] munmap(0x10000, 4096) = 0',
      '3510       0.000000 [  60] [????????????????] +++ exited with 0 +++',
    );
    expect(kinds(trace)).toEqual(['3510 brk', '3510 munmap', '3510 exit']);
  });

  it('may end with a carriage return, and the last one with nothing', () => {
    const trace = parseStrace(
      '7 brk(NULL <unfinished ...>\r\n\r\n7 <... brk resumed>) = 0x1000\r\n7 +++ exited with 0 +++',
      'x',
    );
    expect(kinds(trace)).toEqual(['7 brk', '7 exit']);
  });
});
