/** What perf trace, ftrace and perf script record becomes what strace would have written: lines one by one, and recordings of real programs. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { vpn } from '../../../../src/base/units.js';
import {
  formatOf,
  importTrace,
  type TraceFormat,
} from '../../../../src/workload/trace/import/importTrace.js';
import { mainProgram } from '../../../../src/workload/trace/mmTrace.js';
import { parseStrace } from '../../../../src/workload/trace/parseStrace.js';
import { traceFootprint } from '../../../../src/workload/trace/traceFootprint.js';

function recording(name: string): string {
  return readFileSync(new URL(`../../../mm-traces/${name}`, import.meta.url), 'utf8');
}

function convert(format: TraceFormat, ...lines: string[]): string[] {
  return importTrace(lines.join('\n'), 'rec.txt', format, null).text.trimEnd().split('\n');
}

describe('perf trace', () => {
  it.each([
    [
      '     0.213 ( 0.003 ms): ls/25265 mmap(len: 8192, prot: READ|WRITE, flags: PRIVATE|ANONYMOUS)           = 0x7f55e43e4000',
      '25265 1700000000.000213 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f55e43e4000',
    ],
    [
      '     0.249 ( 0.010 ms): ls/25265 mmap(addr: 0x7f55e41dd000, len: 8192, prot: READ, flags: PRIVATE|FIXED|DENYWRITE, fd: 3, off: 0x26000) = 0x7f55e41dd000',
      '25265 1700000000.000249 mmap(0x7f55e41dd000, 8192, PROT_READ, MAP_PRIVATE|MAP_FIXED|MAP_DENYWRITE, 3, 0x26000) = 0x7f55e41dd000',
    ],
    [
      '     0.237 ( 0.010 ms): ls/25265 mprotect(start: 0x7f55e3fde000, len: 2093056)                         = 0',
      '25265 1700000000.000237 mprotect(0x7f55e3fde000, 2093056, PROT_NONE) = 0',
    ],
    ['     1.378 ( 0.005 ms): brk(               ) = 0x9d0000', '1700000000.001378 brk(NULL) = 0x9d0000'],
    [
      '   422.223 ( 0.018 ms): python3/5892 mremap(addr: 0x7fd9c9010000, old_len: 1048576, new_len: 2097152, flags: MAYMOVE) = 0x7fd9c8e00000',
      '5892 1700000000.422223 mremap(0x7fd9c9010000, 1048576, 2097152, MREMAP_MAYMOVE, NULL) = 0x7fd9c8e00000',
    ],
    [
      '     0.700 ( 0.003 ms): a b/7 munmap(addr: 0x7f0000001000, len: 4096) = -1 EINVAL (Invalid argument)',
      '7 1700000000.000700 munmap(0x7f0000001000, 4096) = -1 EINVAL (Invalid argument)',
    ],
    [
      '     0.000 ( 0.000 ms): true/5469 minfault [main+0x40] => 0x5612ee2701e0 (?k)',
      '5469 1700000000.000000 touch(0x5612ee2701e0, PROT_READ) = 0',
    ],
    [
      '   429.911 (         ): python3/5897 exit()                                       = ?',
      '5897 1700000000.429911 exit(0) = ?',
    ],
  ])('%s', (line, expected) => {
    expect(convert('perf-trace', line)).toEqual([expected]);
  });

  it('has calls that are cut in two', () => {
    const lines = convert(
      'perf-trace',
      '     0.241 (         ): app/3622 munmap(addr: 0x7f0000001000, len: 4096) ...',
      '     0.300 ( 0.001 ms): app/3623 brk() = 0x9d0000',
      '     0.241 ( 0.627 ms): app/3622  ... [continued]: munmap())                  = 0',
    );
    expect(lines[0]).toMatch(/^3622 \S+ munmap\(0x7f0000001000, 4096 <unfinished \.\.\.>$/);
    expect(lines[2]).toMatch(/^3622 \S+ <\.\.\. munmap resumed>\) = 0$/);
  });

  it('leaves out what has no address, and what concerns no memory, and counts it', () => {
    const text = [
      '     0.044 ( 0.000 ms): true/5469 minfault [_start+0x0] => /usr/lib/ld.so@0x1ab70 (d.)',
      '     0.100 ( 0.003 ms): ls/14593 close(fd: 3) = 0',
      '     0.110 ( 0.003 ms): ls/14593 brk() = 0x1000',
    ].join('\n');
    const { ignored, touches } = importTrace(text, 'rec.txt', 'perf-trace', null);
    expect([...ignored]).toEqual([
      ['faults without an address', 1],
      ['close', 1],
    ]);
    expect(touches).toBe(0);
  });
});

describe('a trace buffer', () => {
  it.each([
    [
      '            less-2130  [001]  3779.915324: sys_mmap(addr: 0, len: 1000, prot: 3, flags: 22, fd: ffffffff, off: 0)',
      '2130 1700003779.915324 mmap(NULL, 0x1000, 0x3, 0x22, -1, 0x0 <unfinished ...>',
    ],
    [
      '         python3-5823    [001] ..... 35669.684096: sys_madvise(start: 0x7ff1b7ffd000, len_in: 0x100000, behavior: 4)',
      '5823 1700035669.684096 madvise(0x7ff1b7ffd000, 0x100000, 0x4 <unfinished ...>',
    ],
    [
      'memsqld   531 [003] 3033773.536620: syscalls:sys_enter_munmap: addr: 0x7f0008000000, len: 0x08000000',
      '531 1703033773.536620 munmap(0x7f0008000000, 0x08000000 <unfinished ...>',
    ],
    [
      'bash-930   [003] d...  6288.896762: page_fault_user: address=0x55bc6c5557d0 ip=0x7ff74f7aa84c error_code=0x7',
      '930 1700006288.896762 touch(0x55bc6c5557d0, PROT_WRITE) = 0',
    ],
    [
      'a b-c-930 (    930) [003] d...  6288.896762: page_fault_user: address=0x55bc6c5557d0 ip=0x7ff74f7aa84c error_code=0x4',
      '930 1700006288.896762 touch(0x55bc6c5557d0, PROT_READ) = 0',
    ],
    [
      '            true  5523 [000] 35641.884032: exceptions:page_fault_user: address=0x7fa81820ab70 ip=0x7fa81820ab70 error_code=0x14',
      '5523 1700035641.884032 touch(0x7fa81820ab70, PROT_READ) = 0',
    ],
    [
      '         python3-5839    [001] ..... 35669.777261: sys_exit(error_code: 0)',
      '5839 1700035669.777261 exit(0) = ?',
    ],
  ])('%s', (line, expected) => {
    expect(convert('ftrace', line)).toEqual([expected]);
  });

  it('tells failures by negative numbers', () => {
    const lines = convert(
      'ftrace',
      ' a-1 [000] 1.000000: sys_mprotect(start: 1000, len: 1000, prot: 1)',
      ' a-1 [000] 1.000001: sys_mprotect -> 0xfffffffffffffff4',
    );
    expect(lines[1]).toBe('1 1700000001.000001 <... mprotect resumed>) = -1 ENOMEM');
  });

  it('of several processes gives the one that was asked for, with its threads', () => {
    const { text, ignored } = importTrace(recording('python-buffers.ftrace'), 'rec.txt', 'ftrace', 5823);
    expect(ignored.get('lines of other processes')).toBe(4);
    expect(
      new Set(
        text
          .trimEnd()
          .split('\n')
          .map((line) => line.split(' ')[0]),
      ),
    ).toEqual(new Set(['5823', '5838', '5839']));
  });
});

describe('recordings of one program by three tools', () => {
  it.each([
    ['python-buffers.perf-trace', 'perf-trace', null, 3],
    ['python-buffers.ftrace', 'ftrace', 5823, 3],
    // Without clone calls its threads are unknown.
    ['python-buffers.perf-script', 'ftrace', 5903, 1],
  ] as const)('%s', (name, format, pid, threads) => {
    const text = recording(name);
    expect(formatOf(text)).toBe(format);
    const program = mainProgram(parseStrace(importTrace(text, name, format, pid).text, name));
    expect(program.pids.length).toBe(threads);
    const { calls } = traceFootprint(program);
    expect(calls.mremap).toBe(1);
    expect(calls.madvise).toBeGreaterThan(0);
    expect(calls.touch > 0).toBe(format === 'ftrace');
    const moved = program.events.find(({ call }) => call.kind === 'mremap')?.call;
    expect(moved).toMatchObject({ fromPages: 256, toPages: 512, flags: { mayMove: true } });
    expect(moved?.kind === 'mremap' && moved.from !== vpn(0)).toBe(true);
  });
});

describe('a line that the tool does not print', () => {
  it.each([
    [
      'perf-trace',
      '     0.100 ( 0.003 ms): ls/14593 nonsense',
      /^rec.txt:2: found ".*nonsense"; allowed: what perf trace prints/,
    ],
    ['perf-trace', 'hello world', /^rec.txt:2: found "hello world"/],
    ['ftrace', 'hello world', /^rec.txt:2: found "hello world"; allowed: a line of a trace buffer/],
  ] as const)('%s: %s', (format, line, message) => {
    const good =
      format === 'ftrace' ? ' a-1 [000] 1.000000: sys_brk(brk: 0)' : ' 0.100 ( 0.003 ms): brk() = 0x1000';
    expect(() => importTrace(`${good}\n${line}\n`, 'rec.txt', format, null)).toThrow(message);
  });
});
