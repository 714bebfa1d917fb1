/** Public cases that read counters of drivers or expect their events, and what a wrong name of a counter gives. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { caseFileSchema, caseSchema } from '../../../src/case/caseSchema.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

const WANTED = /^(ReadOnlyRangeTest|HMMProfilingEvent|mgpu-pagefault|prefetch-fault)/;
const suites = ['igt-xe-multigpu-svm', 'igt-xe-prefetch-fault', 'kfdtest-svm'];

describe.each(suites)('%s', (suite) => {
  const text = readFileSync(new URL(`../../cases/${suite}.json`, import.meta.url), 'utf8');
  const cases = caseFileSchema.parse(JSON.parse(text)).filter(({ name }) => WANTED.test(name));
  it.each(cases)('$name', async (one) => {
    const { status, problems, missing } = await runCase(one, { executor: 'virtual', seed: 1 });
    expect([status, missing, problems.slice(0, 3)]).toEqual(['pass', null, []]);
  });
});

const source = { repo: 'svmsim', path: 'test', commit: '0' };
const mapped = [
  { op: 'bind_mirror', args: { proc: 'p0', dev: 'gpu0' } },
  { op: 'mmap', args: { proc: 'p0', buf: 'A', pages: 16, prot: 'rw', share: 'private', backing: 'anon' } },
];
const span = { proc: 'p0', dev: 'gpu0', buf: 'A', off: 0, pages: 16 };
const count = (counter: string, as: string) => ({ op: 'read_counter', args: { dev: 'gpu0', counter }, as });

async function problemsOf(steps: readonly object[], expectations: readonly object[]) {
  const one = caseSchema.parse({
    suite: 'own',
    name: 'counters',
    source,
    needs: [],
    deterministic: true,
    steps,
    expect: expectations,
  });
  const { problems } = await runCase(one, { executor: 'virtual', seed: 1 });
  return problems.map(({ expectation, found }) => `${expectation}: ${found}`);
}

it('counts what a device copies by the size of ranges, in both directions', async () => {
  const names = ['svm_64K_device_copy_kb', 'svm_64K_cpu_copy_kb'];
  const steps = [
    ...mapped,
    ...names.map((name) => count(name, `${name} 0`)),
    { op: 'cpu_write', args: { proc: 'p0', buf: 'A', off: 0, pattern: { p: 'index', k: 0 } } },
    { op: 'prefetch', args: { ...span, target: 'gpu0' } },
    { op: 'cpu_read', args: { proc: 'p0', buf: 'A', off: 0 } },
    ...names.map((name) => count(name, `${name} 1`)),
  ];
  const expected = names.map((name) => ({
    type: 'counter_delta',
    frm: `${name} 0`,
    to: `${name} 1`,
    value: 64,
  }));
  expect(await problemsOf(steps, expected)).toEqual([]);
  const wrong = expected.map((one) => ({ ...one, value: 65 }));
  expect((await problemsOf(steps, wrong))[0]).toContain('a difference 65: 64');
});

it('refuses the name of a counter that there is not', async () => {
  const found = await problemsOf([...mapped, count('svm_pagefault_cuont', 'a')], []);
  expect(found).toEqual(['the step to be carried out: there is no counter svm_pagefault_cuont']);
});

it('says once that a prefetch starts to migrate, and why pages come home', async () => {
  const steps = [
    ...mapped,
    { op: 'cpu_write', args: { proc: 'p0', buf: 'A', off: 0, pattern: { p: 'index', k: 0 } } },
    { op: 'prefetch', args: { ...span, target: 'gpu0' } },
    { op: 'cpu_read', args: { proc: 'p0', buf: 'A', off: 0 } },
    { op: 'gpu_write', args: { ...span, pattern: { p: 'zero' } } },
    { op: 'prefetch', args: { ...span, target: 'sys' } },
    // The prefetch has bound the pages in RAM, so that the device does not fault.
    { op: 'gpu_write', args: { ...span, pattern: { p: 'zero' } } },
  ];
  const start = { type: 'event', kind: 'migrate_start', buf: 'A', off: 0, pages: 16, pid: 'p0' };
  const triggers = ['prefetch', 'gpu_fault', 'cpu_fault'];
  expect(
    await problemsOf(
      steps,
      triggers.map((trigger) => ({ ...start, trigger })),
    ),
  ).toEqual([]);
  const [problem] = await problemsOf(steps, [{ ...start, trigger: 'eviction' }]);
  const seen = ['prefetch', 'cpu_fault', 'gpu_fault', 'prefetch'];
  expect(problem).toContain(seen.map((trigger) => `migrate_start of 16 pages by ${trigger}`).join('; '));
});
