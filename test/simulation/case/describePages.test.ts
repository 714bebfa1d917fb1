/** What a failed case tells of the pages of its step: of those that are alike the first, and none that differs is left out. */

import { expect, it } from 'vitest';
import { caseSchema } from '../../../src/case/caseSchema.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

const MMAP = { op: 'mmap', args: { buf: 'a', pages: 8, prot: 'rw' } };
const BIND = { op: 'bind_mirror', args: { dev: 'gpu0' } };

async function pagesTold(...steps: readonly object[]): Promise<string[]> {
  const parsed = caseSchema.parse({
    suite: 's',
    name: 'n',
    steps: [BIND, MMAP, ...steps],
    expect: [{ type: 'ret', step: 'r', value: 77 }],
  });
  const { problems } = await runCase(parsed, { executor: 'virtual', seed: 1 });
  return problems.flatMap(({ pages }) => pages.map((line) => line.replaceAll(/ 0x[\da-f]+,/g, '')));
}

it('the hole that a GPU has met is told, and what is before and behind it', async () => {
  const hole = { op: 'munmap', args: { buf: 'a', off: 4, pages: 1 } };
  const read = { op: 'gpu_read', args: { dev: 'gpu0', buf: 'a', pages: 8 }, as: 'r' };
  const told = await pagesTold(hole, read);
  expect(told).toHaveLength(3);
  expect(told[0]).toMatch(/^a pages 0 to 3, the first: area .* entry device-private .*vram0/);
  expect(told[1]).toBe('a page 4: no area, entry none');
  expect(told[2]).toMatch(/^a pages 5 to 7, the first: area .* entry none$/);
});

it('a step that names no span is about the rest of its buffer', async () => {
  const store = { op: 'cpu_write', args: { buf: 'a', off: 6, pages: 1, pattern: { p: 'zero' } } };
  const read = { op: 'cpu_read', args: { buf: 'a', off: 5 }, as: 'r' };
  const told = await pagesTold(store, read);
  expect(told.map((line) => line.slice(0, line.indexOf(':')))).toEqual(['a page 5', 'a page 6', 'a page 7']);
  expect(told[1]).toContain('mapped by mm 1');
});

it('no more lines are told than one can read', async () => {
  const wide = { op: 'mmap', args: { buf: 'b', pages: 20, prot: 'rw' } };
  const alternate = Array.from({ length: 10 }, (_, i) => ({
    op: 'mprotect',
    args: { buf: 'b', off: 2 * i, pages: 1, prot: 'r' },
  }));
  const read = { op: 'cpu_read', args: { buf: 'b' }, as: 'r' };
  expect(await pagesTold(wide, ...alternate, read)).toHaveLength(8);
});
