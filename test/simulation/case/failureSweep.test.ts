/** Cases with each of their allocations failing in turn: a sample, since `svmsim case --fail-allocations` does it for all. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Case, caseSchema } from '../../../src/case/caseSchema.js';
import { mayFailWith } from '../../../src/case/failureErrnos.js';
import { loadCaseFile } from '../../../src/scenario/case/loadCases.js';
import { chosenAllocations } from '../../../src/simulation/case/failurePlan.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

const CASES = fileURLToPath(new URL('../../cases', import.meta.url));

/** Name of the file, every which of its cases, and every which allocation. */
type Sample = readonly [file: string, every: number, stride: number];

const samples: readonly Sample[] = [
  ['linux-6.12-recorded-anon.json', 449, 1000],
  ['linux-6.12-recorded-mixed.json', 299, 1000],
  ['drm-gpuvm-split-merge.json', 8, 1],
  ['hip-tests-managed.json', 5, 1000],
];

function sweep(one: Case, stride = 1) {
  return runCase(one, { executor: 'virtual', seed: 1, failures: { stride } });
}

function caseOf(steps: readonly object[]): Case {
  return caseSchema.parse({ suite: 's', name: 'n', steps, expect: [] });
}

describe('allocations that fail', () => {
  it.each(samples)('harm nothing in %s, one of %i', async (file, every, stride) => {
    const cases = loadCaseFile(join(CASES, file)).filter((_, i) => i % every === 0);
    let runs = 0;
    for (const one of cases) {
      const { problems, failures } = await sweep(one, stride);
      expect(problems, one.name).toEqual([]);
      runs += failures?.runs ?? 0;
    }
    expect(runs).toBeGreaterThan(0);
  });

  it('are each tried once: an area, three tables, the anon_vma and the page of a first store', async () => {
    const one = caseOf([
      { op: 'mmap', args: { buf: 'A', pages: 1, prot: 'rw' } },
      { op: 'cpu_store32', args: { buf: 'A', dword: 0, value: 7 } },
    ]);
    expect(await sweep(one)).toMatchObject({
      status: 'pass',
      failures: { allocations: 6, chosen: 6, runs: 6 },
    });
  });

  it('leave out steps that need what was not made, and the others are carried out', async () => {
    const one = caseOf([
      { op: 'mmap', args: { buf: 'A', pages: 1, prot: 'rw' } },
      { op: 'cpu_store32', args: { buf: 'A', dword: 0, value: 7 } },
      { op: 'munmap', args: { buf: 'A', off: 0, pages: 1 } },
    ]);
    const { status, verifications } = await sweep(one);
    expect(status).toBe('pass');
    // The run without failures after each step; one that fails in the first step likewise, and five that fail in the second from there on.
    expect(verifications).toBe(3 + 3 + 5 * 2);
  });

  it('end the run two steps after the one they are in', async () => {
    const load = { op: 'cpu_load32', args: { buf: 'A', dword: 0 } };
    const one = caseOf([
      { op: 'mmap', args: { buf: 'A', pages: 1, prot: 'rw' } },
      ...Array.from({ length: 5 }, () => load),
    ]);
    const { status, verifications, failures } = await sweep(one);
    expect(status).toBe('pass');
    // The area, and the three tables of the first load.
    expect(failures).toMatchObject({ runs: 4 });
    expect(verifications).toBe(6 + 4 * 3);
  });

  it('may be errors that the kernel gives, and no others', () => {
    expect(mayFailWith('mmap', -12, true)).toBe(true);
    expect(mayFailWith('mmap', -14, true)).toBe(false);
    expect(mayFailWith('migrate_to_device', -2, true)).toBe(true);
    expect(mayFailWith('migrate_to_device', -12, true)).toBe(false);
    expect(mayFailWith('migrate_to_device', -12, false)).toBe(true);
    expect(mayFailWith('migrate_to_device', -2, false)).toBe(false);
    expect(mayFailWith('snapshot', -12, false)).toBe(false);
  });
});

describe('chosenAllocations', () => {
  const page = { step: 1, site: 0, path: 7 } as const;
  const pages = (n: number) => Array.from({ length: n }, () => page);

  it('takes the first two, the last two and every n-th of the rounds of a loop', () => {
    const eight = [{ step: 0, site: 3, path: 1 } as const, ...pages(7)];
    expect(chosenAllocations(eight, 1)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(chosenAllocations(eight, 4)).toEqual([1, 2, 3, 6, 7, 8]);
    expect(chosenAllocations(eight, 100)).toEqual([1, 2, 3, 7, 8]);
  });

  it('takes each to which the protocol came on a way of its own, such as the first of a chunk', () => {
    const chunk = { step: 1, site: 0, path: 9 } as const;
    expect(chosenAllocations([chunk, ...pages(5), chunk, ...pages(5)], 100)).toEqual([1, 2, 3, 7, 11, 12]);
  });
});
