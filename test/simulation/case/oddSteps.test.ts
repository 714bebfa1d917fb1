/** Steps that ask for more than there is, or for what there is already, and expectations that have to wait. */

import { describe, expect, it } from 'vitest';
import { caseSchema } from '../../../src/case/caseSchema.js';
import { caseMachine } from '../../../src/simulation/case/caseMachine.js';
import type { CaseReport } from '../../../src/simulation/case/caseReport.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

const MMAP = { op: 'mmap', args: { buf: 'a', pages: 4, prot: 'rw' } };
const HUGE = 2 ** 33;

function caseOf(
  steps: readonly object[],
  expect: readonly object[] = [],
): ReturnType<typeof caseSchema.parse> {
  return caseSchema.parse({ suite: 's', name: 'n', steps, expect });
}

function run(steps: readonly object[], expect: readonly object[] = []): Promise<CaseReport> {
  return runCase(caseOf(steps, expect), { executor: 'virtual', seed: 1 });
}

describe('a span that no buffer of a call could hold', () => {
  it.each([
    ['gpu_write', { dev: 'gpu0', pattern: { p: 'zero' } }],
    ['gpu_read', { dev: 'gpu0' }],
    ['snapshot', { dev: 'gpu0' }],
    ['check_exclusive', { dev: 'gpu0' }],
    ['query_residency', {}],
    ['pagemap_read', {}],
    ['pin_unpin', { mode: 'get_user_pages_fast_read' }],
  ])('is refused by %s of the test device', async (op, args) => {
    const bind = { op: 'bind_mirror', args: { dev: 'gpu0' } };
    const step = { op, args: { ...args, buf: 'a', pages: HUGE }, as: 's' };
    const snapshot = { op: 'snapshot', args: { dev: 'gpu0', buf: 'a' } };
    const report = await run([MMAP, bind, snapshot, step], [{ type: 'ret', step: 's', value: '-ENOMEM' }]);
    expect(report.problems).toEqual([]);
  });

  it('is refused on GPUs too', async () => {
    const bind = { op: 'bind_mirror', args: { dev: 'gpu0' } };
    const step = { op: 'query_residency', args: { buf: 'a', pages: HUGE }, as: 's' };
    const prefetch = { op: 'prefetch', args: { dev: 'gpu0', buf: 'a', target: 'gpu0' } };
    const report = await run([MMAP, bind, prefetch, step], [{ type: 'ret', step: 's', value: '-ENOMEM' }]);
    expect(report.problems).toEqual([]);
  });
});

it('a GPU reads over many mappings that lie side by side', async () => {
  const parts = Array.from({ length: 40 }, (_, i) => ({
    op: 'mmap',
    args: { buf: 'a', pages: 30, prot: 'rw', at_off: 30 * i, fixed: true },
  }));
  const first = { op: 'mmap', args: { buf: 'a', pages: 30, prot: 'rw' } };
  const bind = { op: 'bind_mirror', args: { dev: 'gpu0' } };
  const fill = { op: 'cpu_write', args: { buf: 'a', pages: 1200, pattern: { p: 'index', k: 0 } } };
  const prefetch = { op: 'prefetch', args: { dev: 'gpu0', buf: 'a', pages: 1, target: 'gpu0' } };
  const read = { op: 'gpu_read', args: { dev: 'gpu0', buf: 'a', pages: 1200 }, as: 'r' };
  const report = await run(
    [first, ...parts, bind, fill, prefetch, read],
    [{ type: 'data', step: 'r', equals: { p: 'index', k: 0 } }],
  );
  expect(report.problems).toEqual([]);
});

describe('a fork', () => {
  it.each([
    [
      'again and again',
      [{ op: 'repeat', args: { count: 2, steps: [{ op: 'fork', args: { child: 'c0' } }] } }],
    ],
    ['in two steps', [0, 1].map((i) => ({ op: 'fork', args: { child: 'c0' }, as: `f${i}` }))],
  ])('of a name that stands for a process is refused: %s', async (_, steps) => {
    const report = await run([MMAP, ...steps]);
    expect(report.problems).toMatchObject([{ found: 'process c0 exists' }]);
  });

  it('of a name with the round makes a process in each', async () => {
    const forks = { op: 'repeat', args: { count: 2, steps: [{ op: 'fork', args: { child: 'c$i' } }] } };
    const exits = [0, 1].map((i) => ({ op: 'exit', args: { proc: `c${i}` } }));
    const report = await run([MMAP, forks, { op: 'cpu_read', args: { buf: 'a', proc: 'c1' } }, ...exits]);
    expect(report.problems).toEqual([]);
  });
});

describe('a condition', () => {
  /** As text: an object with a property of that name looks like a promise. */
  const ifPrefetched = (then: object): object =>
    JSON.parse(`{"type": "if_ret_zero", "step": "p", "then": [${JSON.stringify(then)}]}`);
  const bind = { op: 'bind_mirror', args: { dev: 'gpu0' } };
  const prefetch = { op: 'prefetch', args: { dev: 'gpu0', buf: 'a', target: 'gpu0' }, as: 'p' };
  const fill = { op: 'cpu_write', args: { buf: 'a', pattern: { p: 'const', v: 7 } } };

  it('about what the whole case gave waits for its end', async () => {
    const migrations = { type: 'cpu_fault_migrations', buf: 'a', value: 0 };
    const report = await run(
      [MMAP, bind, fill, prefetch, { op: 'cpu_read', args: { buf: 'a' } }],
      [ifPrefetched(migrations)],
    );
    expect(report.problems).toHaveLength(1);
  });

  it('about a later step waits for that', async () => {
    const load = { op: 'cpu_load32', args: { buf: 'a', dword: 0 }, as: 'v' };
    const report = await run(
      [MMAP, bind, fill, prefetch, load],
      [ifPrefetched({ type: 'value', step: 'v', value: 7 })],
    );
    expect(report.problems).toEqual([]);
  });
});

it('counts the devices that arguments name, however deep, and no buffers that are called like them', () => {
  const mmap = { op: 'mmap', args: { buf: 'gpu50', pages: 1, prot: 'rw' } };
  const attrs = { preferred_loc: 'gpu2' };
  const attr = { op: 'svm_set_attr', args: { dev: 'gpu0', buf: 'gpu50', attrs } };
  expect(caseMachine(caseOf([mmap, attr]), 'virtual', 1).deviceCount).toBe(3);
  const node = { op: 'mmap', args: { buf: 'd', pages: 1, prot: 'rw', backing: 'device_file', file: 'gpu3' } };
  expect(caseMachine(caseOf([node]), 'virtual', 1).deviceCount).toBe(4);
});

it('hands over as much as devices read or write, however much other steps are about', () => {
  const bytes = (step: object): number => {
    const parts = [0, 1].map((i) => ({ op: 'mmap', args: { buf: `b${i}`, pages: 10_000, prot: 'rw' } }));
    return caseMachine(caseOf([...parts, step]), 'virtual', 1).machine?.payloadBytes ?? 0;
  };
  const plain = bytes({ op: 'mlock', args: { buf: 'b0', pages: 20_000 } });
  expect(plain).toBeLessThan(10_002 * 4096);
  expect(bytes({ op: 'gpu_read', args: { dev: 'gpu0', buf: 'b0', pages: 20_000 } })).toBeGreaterThan(
    20_000 * 4096,
  );
});
