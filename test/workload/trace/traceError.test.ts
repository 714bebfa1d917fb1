/** What a user reads who gives a file that is not, or no longer, a trace. */

import { describe, expect, it } from 'vitest';
import { parseStrace } from '../../../src/workload/trace/parseStrace.js';
import { TraceError } from '../../../src/workload/trace/traceError.js';

function errorOf(...lines: readonly string[]): TraceError {
  try {
    parseStrace(lines.join('\n'), 'dir/bad.strace');
  } catch (error) {
    if (error instanceof TraceError) return error;
    throw error;
  }
  throw new Error('parsed');
}

const good = '10 brk(NULL) = 0x1000';

describe('a trace error', () => {
  it('says file, line, what was found and what is allowed', () => {
    const error = errorOf(good, '', '10 what is this');
    expect(error.message).toBe(
      'dir/bad.strace:3: found "10 what is this"; allowed: what strace prints: name(arguments) = result, ' +
        'name(arguments <unfinished ...>, <... name resumed>, --- signal --- or +++ exit +++',
    );
    expect(error).toMatchObject({ fileName: 'dir/bad.strace', line: 3, found: '"10 what is this"' });
  });

  it('shows no more of a line than a reader can take in', () => {
    expect(errorOf('x'.repeat(100_000)).message.length).toBeLessThan(500);
  });

  it.each([
    ['an empty file', [''], 1, 'an empty file'],
    ['a file of empty lines', ['', '', ''], 1, 'an empty file'],
    ['no memory call', ['10 openat(3) = 4', '10 exit_group(0) = ?'], 2, '2 lines without any memory call'],
    [
      'a line cut short',
      [good, '10 mmap(NULL, 8192, PROT_READ|PROT_WR'],
      2,
      '"10 mmap(NULL, 8192, PROT_READ|PROT_WR"',
    ],
    [
      'a line cut short by an announcement',
      [good, '10 mmap(NULL, strace: Process 12 attached'],
      2,
      '"10 mmap(NULL, "',
    ],
    ['a call without its bracket', [good, '10 munmap(0x1000, 4096 = 0'], 2, '"munmap(0x1000, 4096 = 0"'],
    ['an end without a start', ['10 <... mmap resumed>) = 0x1000', good], 1, 'no unfinished call'],
    [
      'the end of another call',
      [good, '10 munmap(0x1000, 4096 <unfinished ...>', '10 <... mmap resumed>) = 0x1000'],
      3,
      'an unfinished munmap',
    ],
    [
      'the end of another process',
      [good, '11 munmap(0x1000, 4096 <unfinished ...>', '10 <... munmap resumed>) = 0'],
      3,
      'process 10, which has no unfinished call',
    ],
    ['an end that is none', [good, '10 <... munmap res'], 2, '<... munmap res'],
    [
      'an end without a result',
      [good, '10 read(3 <unfinished ...>', '10 <... read resumed>, "a'],
      3,
      '<... read resumed>, "a',
    ],
    ['an exit that is none', [good, '10 +++ left the building +++'], 2, 'left the building'],
    ['too few arguments', [good, '10 munmap(0x1000) = 0'], 2, 'munmap(0x1000)'],
    [
      'too many arguments',
      [good, '10 mremap(0x1000, 1, 1, 0, 0, 0) = 0x1000'],
      2,
      'mremap(0x1000, 1, 1, 0, 0, 0)',
    ],
    ['no arguments', [good, '10 brk() = 0x1000'], 2, 'brk address ""'],
    ['an address that is none', [good, '10 munmap(four, 4096) = 0'], 2, 'munmap address "four"'],
    ['a negative length', [good, '10 munmap(0x1000, -1) = 0'], 2, 'munmap length "-1"'],
    [
      'a descriptor that is none',
      [good, '10 mmap(NULL, 1, PROT_READ, MAP_PRIVATE, x, 0) = 0x1000'],
      2,
      'mmap descriptor "x"',
    ],
    [
      'an unknown protection',
      [good, '10 mprotect(0x1000, 1, PROT_REED) = 0'],
      2,
      'flag "PROT_REED" in PROT_REED',
    ],
    [
      'an unknown flag',
      [good, '10 mmap(NULL, 1, PROT_READ, MAP_PRIVATE|MAP_FIXD, 3, 0) = 0x1000'],
      2,
      'flag "MAP_FIXD" in MAP_PRIVATE|MAP_FIXD',
    ],
    [
      'flags joined by nothing',
      [good, '10 mmap(NULL, 1, PROT_READ, MAP_PRIVATE|, 3, 0) = 0x1000'],
      2,
      'flag ""',
    ],
    [
      'a mapping neither private nor shared',
      [good, '10 mmap(NULL, 1, PROT_READ, MAP_FIXED, 3, 0) = 0x1000'],
      2,
      'mmap flags MAP_FIXED',
    ],
    ['an unknown advice', [good, '10 madvise(0x1000, 1, MADV_WHATEVER) = 0'], 2, 'advice MADV_WHATEVER'],
    ['an unknown clone flag', [good, '10 clone(child_stack=NULL, flags=VM) = 4'], 2, 'flag "VM"'],
    ['a clone without flags', [good, '10 clone3({stack=NULL}, 88) = 4'], 2, 'clone3({stack=NULL}, 88)'],
    ['an exec without a path', [good, '10 execve(0x1234) = 0'], 2, 'execve(0x1234)'],
    ['a result that is none', [good, '10 munmap(0x1000, 4096) = fine'], 2, 'result "fine"'],
    ['a result that is an unnamed error', [good, '10 munmap(0x1000, 4096) = -22'], 2, 'result "-22"'],
    ['success at half a page', [good, '10 munmap(0x1001, 4096) = 0'], 2, 'munmap that succeeded at 0x1001'],
    [
      'success at half a page of mmap',
      [good, '10 mmap(NULL, 1, PROT_READ, MAP_PRIVATE, 3, 0) = 0x1001'],
      2,
      'mmap that succeeded at 0x1001',
    ],
    [
      'success above the address space',
      [good, '10 munmap(0x800000000000, 4096) = 0'],
      2,
      'munmap that succeeded at 0x800000000000',
    ],
    ['success across its end', [good, '10 munmap(0x7ffffffff000, 8192) = 0'], 2, 'with 2 pages'],
    ['a break above it', [good, '10 brk(NULL) = 0x800000001000'], 2, 'brk that succeeded at 0x800000001000'],
    [
      'an error in the first half of a call',
      [
        good,
        '10 munmap(four, 4096 <unfinished ...>',
        good.replace('10', '11'),
        '10 <... munmap resumed>) = 0',
      ],
      2,
      'four',
    ],
  ])('is thrown for %s', (_, lines, line, found) => {
    const error = errorOf(...lines);
    expect(error.line).toBe(line);
    expect(error.found).toContain(found);
    expect(error.message).toContain(
      `dir/bad.strace:${line}: found ${error.found}; allowed: ${error.allowed}`,
    );
    expect(error.allowed).not.toBe('');
  });

  it('is not thrown for the last page of the address space', () => {
    expect(() => parseStrace('munmap(0x7ffffffff000, 4096) = 0', 'x')).not.toThrow();
  });
});
