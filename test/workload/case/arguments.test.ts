/** Forms of arguments that the public cases do not use: each means what the vocabulary says. */

import { describe, expect, it } from 'vitest';
import { caseSchema } from '../../../src/case/caseSchema.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

type Steps = readonly object[];

function run(steps: Steps, expectations: Steps = []) {
  const one = caseSchema.parse({ suite: 's', name: 'n', steps, expect: expectations });
  return runCase(one, { executor: 'virtual', seed: 1 });
}

const good = { status: 'pass', missing: null, problems: [] };
const step = (op: string, args: object, as?: string) => ({ op, args, ...(as === undefined ? {} : { as }) });
const mmap = (pages: number, more: object = {}) => step('mmap', { buf: 'A', pages, prot: 'rw', ...more });
const write = (v: number, more: object = {}) =>
  step('cpu_write', { buf: 'A', pattern: { p: 'const', v }, ...more });
const read = (as: string, more: object = {}) => step('cpu_read', { buf: 'A', ...more }, as);
const data = (of: string, v: number, more: object = {}) => ({
  type: 'data',
  step: of,
  equals: { p: 'const', v },
  ...more,
});
const ret = (of: string, value: number | string) => ({ type: 'ret', step: of, value });
const residency = (of: string, where: readonly string[]) => ({ type: 'residency', step: of, where });
const where = (as: string, more: object = {}) => step('query_residency', { buf: 'A', ...more }, as);
const bind = step('bind_mirror', { dev: 'gpu0', kind: 'private' });
const bindSvm = step('bind_mirror', { dev: 'gpu0' });

describe('inject_alloc_failure', () => {
  const toDevice = (as: string) => step('migrate_to_device', { dev: 'gpu0', buf: 'A' }, as);

  it.each([1, 2, 3])('lets as many allocations fail as it says: %i', async (count) => {
    const steps = [
      bind,
      mmap(4),
      write(7),
      step('inject_alloc_failure', { dev: 'gpu0', count }),
      toDevice('m'),
      where('w'),
    ];
    const places = [0, 1, 2, 3].map((page) => (page < count ? 'sys' : 'gpu0'));
    expect(await run(steps, [residency('w', places)])).toMatchObject(good);
  });
});

describe('prefetch', () => {
  const prefetch = (args: object) => step('prefetch', { dev: 'gpu0', target: 'gpu0', ...args });
  const expected: readonly (readonly [string, object, readonly number[]])[] = [
    ['the whole buffer', { buf: 'A' }, [0, 1, 2, 3]],
    ['from a page on', { buf: 'A', off: 2 }, [2, 3]],
    ['pages', { buf: 'A', off: 1, pages: 2 }, [1, 2]],
    ['from a byte on', { buf: 'A', byte_off: 4096 }, [1, 2, 3]],
    ['bytes from a page on', { buf: 'A', off: 1, bytes: 4096 }, [1]],
    ['bytes across pages', { buf: 'A', byte_off: 4095, bytes: 2 }, [0, 1]],
    ['pages from a byte on', { buf: 'A', byte_off: 8192, pages: 1 }, [2]],
  ];

  it.each(expected)('of %s', async (_, args, moved) => {
    const steps = [bindSvm, mmap(4), write(1), prefetch(args), where('w')];
    const places = [0, 1, 2, 3].map((page) => (moved.includes(page) ? 'gpu0' : 'sys'));
    expect(await run(steps, [residency('w', places)])).toMatchObject(good);
  });

  it('of an address where nothing is is refused', async () => {
    const steps = [bindSvm, mmap(1), step('prefetch', { target: 'gpu0', addr: 4096, pages: 1 }, 'p')];
    expect(await run(steps, [ret('p', 'invalid_value')])).toMatchObject(good);
  });
});

describe('mmap', () => {
  it('fixed at an offset replaces a part; without the offset the start; without fixed it needs a hole', async () => {
    const steps = [
      mmap(4),
      write(7),
      mmap(1, { fixed: true, at_off: 2 }),
      mmap(1, { fixed: true }),
      step('mmap', { buf: 'A', pages: 1, prot: 'rw', at_off: 1 }, 'taken'),
      step('munmap', { buf: 'A', off: 3 }),
      mmap(1, { at_off: 3 }),
      read('r'),
    ];
    const zero = (off: number) => data('r', 0, { off, pages: 1 });
    const kept = data('r', 7, { off: 1, pages: 1 });
    expect(await run(steps, [ret('taken', '-EEXIST'), zero(0), kept, zero(2), zero(3)])).toMatchObject(good);
  });

  it('locked has all pages at once', async () => {
    const steps = [
      mmap(2, { locked: true }),
      where('locked'),
      step('mmap', { buf: 'B', pages: 2, prot: 'rw' }),
      step('query_residency', { buf: 'B' }, 'not'),
    ];
    const expected = [residency('locked', ['sys', 'sys']), residency('not', ['none', 'none'])];
    expect(await run(steps, expected)).toMatchObject(good);
  });

  it('of a part of a file shows that part', async () => {
    const file = { backing: 'file', file: 'f', share: 'shared' };
    const steps = [
      step('file_create', { file: 'f', pages: 3, pattern: { p: 'index', k: 0 } }),
      mmap(3),
      mmap(1, { ...file, fixed: true, at_off: 2 }),
      read('r', { off: 2 }),
    ];
    expect(await run(steps, [{ type: 'data', step: 'r', equals: { p: 'index', k: 0 } }])).toMatchObject(good);
  });
});

describe('mremap', () => {
  const moved = (to: unknown, more: object = {}) =>
    step('mremap', { buf: 'A', off: 1, pages: 2, new_buf: 'N', to, ...more });
  const readNew = step('cpu_read', { buf: 'N' }, 'n');

  it('to a fresh place moves the pages away', async () => {
    const steps = [mmap(4), write(7), moved('fresh'), readNew, read('gone', { off: 1, pages: 1 })];
    expect(await run(steps, [data('n', 7), ret('gone', '-EFAULT')])).toMatchObject(good);
  });

  it('may leave the mapping behind, empty', async () => {
    const steps = [
      mmap(4),
      write(7),
      moved('fresh', { dontunmap: true }),
      readNew,
      read('left', { off: 1, pages: 2 }),
    ];
    expect(await run(steps, [data('n', 7), data('left', 0)])).toMatchObject(good);
  });

  it('into another buffer replaces what is there', async () => {
    const other = step('mmap', { buf: 'B', pages: 4, prot: 'rw' });
    const steps = [
      mmap(4),
      write(7),
      other,
      moved({ buf: 'B', off: 2 }),
      readNew,
      step('cpu_read', { buf: 'B' }, 'b'),
    ];
    const expected = [data('n', 7), data('b', 0, { off: 0, pages: 2 }), data('b', 7, { off: 2, pages: 2 })];
    expect(await run(steps, expected)).toMatchObject(good);
  });
});

describe('spans', () => {
  it('without pages reach to the end of the buffer', async () => {
    const steps = [
      mmap(4),
      write(7),
      step('madvise', { buf: 'A', off: 2, advice: 'dontneed' }),
      read('r'),
      step('munmap', { buf: 'A', off: 3 }),
      read('gone', { off: 3 }),
    ];
    const expected = [
      data('r', 7, { off: 0, pages: 2 }),
      data('r', 0, { off: 2, pages: 2 }),
      ret('gone', '-EFAULT'),
    ];
    expect(await run(steps, expected)).toMatchObject(good);
  });

  it('of device commands may reach beyond the buffer, and are refused there', async () => {
    const steps = [bind, mmap(2), write(1), step('gpu_read', { dev: 'gpu0', buf: 'A', pages: 64 }, 'r')];
    expect(await run(steps, [ret('r', '-EFAULT')])).toMatchObject(good);
  });

  it("without a kind of device are the test device's where the case asks for its counts", async () => {
    const steps = [bindSvm, mmap(2), write(1), step('gpu_read', { dev: 'gpu0', buf: 'A' }, 'r')];
    const expected = [
      { type: 'cpages', step: 'r', value: 2 },
      { type: 'faults', step: 'r', value: 1 },
    ];
    expect(await run(steps, expected)).toMatchObject(good);
  });
});

describe('reclaim', () => {
  const pagemap = step('pagemap_read', { buf: 'A' }, 'm');
  const swapped = (buf: object) => [mmap(2), write(7), step('reclaim', buf), pagemap, read('r')];

  it('of the process swaps out all of it', async () => {
    const expected = [{ type: 'pagemap', step: 'm', swap: true }, data('r', 7)];
    expect(await run(swapped({}), expected)).toMatchObject(good);
  });

  it('of a span leaves the rest', async () => {
    const half = [mmap(2), write(7), step('reclaim', { buf: 'A', off: 1 })];
    const look = (off: number, as: string) => step('pagemap_read', { buf: 'A', off, pages: 1 }, as);
    const expected = [
      { type: 'pagemap', step: 'a', swap: false, present: true },
      { type: 'pagemap', step: 'b', swap: true },
    ];
    expect(await run([...half, look(0, 'a'), look(1, 'b')], expected)).toMatchObject(good);
  });
});

describe('migrate_hint', () => {
  const forms: readonly (readonly [string, object, readonly string[]])[] = [
    ['buffers', { bufs: ['A'] }, ['gpu0', 'gpu0']],
    ['a range', { ranges: [['A', 4096, 4096]] }, ['sys', 'gpu0']],
    ['a range of no bytes', { ranges: [['A', 0, 0]] }, ['gpu0', 'gpu0']],
  ];

  it.each(forms)('of %s', async (_, args, places) => {
    const hint = step('migrate_hint', { dev: 'gpu0', ...args });
    expect(await run([bindSvm, mmap(2), write(1), hint, where('w')], [residency('w', places)])).toMatchObject(
      good,
    );
  });

  it('to the host brings pages back', async () => {
    const hint = (target: string) => step('migrate_hint', { target, bufs: ['A'] });
    const steps = [bindSvm, mmap(2), write(1), hint('gpu0'), where('there'), hint('sys'), where('back')];
    const expected = [residency('there', ['gpu0', 'gpu0']), residency('back', ['sys', 'sys'])];
    expect(await run(steps, expected)).toMatchObject(good);
  });
});

describe('pin_unpin', () => {
  const modes = [
    'get_user_pages_read',
    'get_user_pages_fast_read',
    'pin_longterm_read',
    'pin_fast_longterm_write',
    'pin_write',
    'pin_read',
  ];

  it.each(modes)('%s works on memory, and not on a hole', async (mode) => {
    const pin = (off: number, as: string) => step('pin_unpin', { buf: 'A', off, pages: 1, mode }, as);
    const steps = [mmap(2), write(1), step('munmap', { buf: 'A', off: 1 }), pin(0, 'p'), pin(1, 'hole')];
    expect(await run(steps, [ret('p', 0), ret('hole', '-EFAULT')])).toMatchObject(good);
  });
});

describe('processes', () => {
  it('the first one may end itself at the end', async () => {
    expect(await run([mmap(1), write(1), step('exit', { proc: 'p0' })])).toMatchObject(good);
  });
});
