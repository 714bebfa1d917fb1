/** Cases replayed: a few of each suite, each on a machine of its own, with all invariants after every step. */

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { caseSchema } from '../../../src/case/caseSchema.js';
import { loadCaseFile } from '../../../src/scenario/case/loadCases.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

const VIRTUAL = { executor: 'virtual', seed: 1 } as const;

/** Name of the file, and every which of its cases is replayed. */
const samples: readonly (readonly [file: string, every: number])[] = [
  ['drm-gpuvm-split-merge', 4],
  ['hip-tests-managed', 4],
  ['igt-xe-madvise', 1],
  ['linux-hmm-selftests', 29],
  ['linux-6.12-recorded-anon', 75],
  ['linux-6.12-recorded-wide', 46],
  ['linux-6.12-recorded-pins', 10],
  ['linux-6.12-recorded-hugetlb', 6],
  ['linux-6.12-recorded-userfault', 6],
  ['linux-6.12-recorded-huge', 5],
  ['linux-6.12-recorded-corners', 1],
];

function casesOf(file: string) {
  return loadCaseFile(fileURLToPath(new URL(`../../cases/${file}.json`, import.meta.url)));
}

describe('replay', () => {
  it.each(samples)('%s holds, one of %i', async (file, every) => {
    const cases = casesOf(file).filter((_, i) => i % every === 0);
    for (const one of cases) {
      const { status, problems, verifications } = await runCase(one, VIRTUAL);
      expect(problems, one.name).toEqual([]);
      expect(status, one.name).toBe('pass');
      expect(verifications).toBe(one.steps.length);
    }
  });

  it('tells the step, what was expected and found, and the page, where an expectation does not hold', async () => {
    const one = caseSchema.parse({
      suite: 's',
      name: 'wrong',
      steps: [
        { op: 'mmap', args: { buf: 'A', pages: 2, prot: 'rw' } },
        { op: 'cpu_write', args: { buf: 'A', off: 0, pattern: { p: 'const', v: 7 } } },
        { op: 'cpu_read', args: { buf: 'A', off: 1, pages: 1 }, as: 'r' },
      ],
      expect: [{ type: 'data', step: 'r', equals: { p: 'const', v: 8 } }],
    });
    const { status, problems } = await runCase(one, VIRTUAL);
    expect(status).toBe('fail');
    expect(problems).toHaveLength(1);
    expect(problems[0].step).toContain('step 2 (r): cpu_read');
    expect(problems[0].expectation).toContain('page 1: dword 0 is 8');
    expect(problems[0].found).toContain('7 (every dword 7)');
    expect(problems[0].pages[0]).toContain('A page 1');
  });

  it('runs branches side by side, and tells of a store that nobody expected to fail', async () => {
    const store = (dword: number) => [{ op: 'cpu_store32', args: { buf: 'A', dword, value: dword } }];
    const steps = [
      { op: 'mmap', args: { buf: 'A', pages: 1, prot: 'rw' } },
      { op: 'concurrent', args: { branches: [store(1), store(2)] } },
      { op: 'cpu_load32', args: { buf: 'A', dword: 2 }, as: 'v' },
    ];
    const expectation = { type: 'value', step: 'v', value: 2 };
    const good = caseSchema.parse({ suite: 's', name: 'branches', steps, expect: [expectation] });
    expect(await runCase(good, VIRTUAL)).toMatchObject({ status: 'pass', problems: [] });
    const bad = [steps[0], { op: 'munmap', args: { buf: 'A', off: 0 } }, ...store(0)];
    const report = await runCase(caseSchema.parse({ suite: 's', name: 'signal', steps: bad }), VIRTUAL);
    expect(report).toMatchObject({ status: 'fail', problems: [{ found: 'ret -EFAULT' }] });
  });
});
