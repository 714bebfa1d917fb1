/** Operations about memory attributes, as public suites use them: attributes alone, since no device reaches the memory here. */

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadCaseFile } from '../../../src/scenario/case/loadCases.js';
import { runCase } from '../../../src/simulation/case/runCase.js';
import { passes, runSteps } from './runSteps.js';

const folder = join(import.meta.dirname, '../../cases');
/** Whether the device has an address space does not matter to what is remembered. */
const binds = new Set(['bind_mirror']);

describe('managed memory, as HIP tests it', () => {
  const loaded = loadCaseFile(join(folder, 'hip-tests-managed.json'));
  const cases = loaded.map((one) => ({ ...one, steps: one.steps.filter(({ op }) => !binds.has(op)) }));
  const usable = cases.filter(({ steps }) => steps.every(({ op }) => !op.startsWith('gpu_')));
  it.each(usable.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const report = await runCase(one, { executor: 'virtual', seed: 1 });
    expect(report).toMatchObject({ status: 'pass' });
  });
});

describe('where a device other than the first mirrors the process', () => {
  const bind = { op: 'bind_mirror', args: { dev: 'gpu1' } };
  const map = { op: 'mmap', args: { buf: 'A', pages: 4, prot: 'rw' } };
  const write = { op: 'cpu_write', args: { buf: 'A', pattern: { p: 'const', v: 4 } } };
  const hint = (as: string, target?: string) => ({ op: 'migrate_hint', args: { target, bufs: ['A'] }, as });
  const where = (as: string, buf = 'A') => ({ op: 'query_residency', args: { buf }, as });
  const residency = (step: string, place: string) => ({ type: 'residency', step, where: place });
  const ret = (step: string, value: number | string) => ({ type: 'ret', step, value });

  it('hints without a device move pages there and back', async () => {
    const steps = [bind, map, write, hint('go', 'gpu1'), where('there'), hint('home', 'cpu'), where('here')];
    const expectations = [ret('go', 0), residency('there', 'gpu1'), ret('home', 0), residency('here', 'sys')];
    expect(await runSteps(steps, expectations)).toEqual(passes);
  });

  it('a hint for a device that mirrors nothing goes there all the same', async () => {
    const steps = [bind, map, write, hint('go', 'gpu0'), where('there')];
    expect(await runSteps(steps, [ret('go', 0), residency('there', 'gpu0')])).toEqual(passes);
  });

  it('buffers that are registered are for the device that there is', async () => {
    const alloc = { op: 'alloc_and_register', args: { count: 1, pages: 2, prefetch: 'sys' }, as: 'a' };
    const access = { op: 'svm_get_attr', args: { buf: 'alloc0', dev: 'gpu1', attr: 'access' }, as: 'g' };
    const expectations = [ret('a', 0), { type: 'attr', step: 'g', value: 'access' }];
    const xnack = { op: 'set_xnack', args: { enabled: false } };
    expect(await runSteps([bind, xnack, alloc, access], expectations)).toEqual(passes);
  });

  it('steps that mean any device get one where no step names any', async () => {
    const alloc = { op: 'alloc_and_register', args: { count: 1, pages: 2, prefetch: 'sys' }, as: 'a' };
    expect(await runSteps([map, write, alloc, hint('h')], [])).toEqual(passes);
  });
});
