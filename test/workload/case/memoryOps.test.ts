/** What a name stands for once everything is unmapped, pages beyond a buffer, and mappings of a device's file. */

import { describe, expect, it } from 'vitest';
import { passes, runSteps } from './runSteps.js';

const map = (buf: string, more: object = {}) => ({
  op: 'mmap',
  args: { buf, pages: 2, prot: 'rw', ...more },
});
const read = (as: string, buf = 'A') => ({ op: 'cpu_read', args: { buf }, as });
const unmapAll = { op: 'munmap_all', args: {} };
const ret = (step: string, value: number | string) => ({ type: 'ret', step, value });
const zeros = (step: string) => ({ type: 'data', step, equals: { p: 'zero' } });

describe('a buffer that munmap_all has unmapped', () => {
  it('faults as after munmap', async () => {
    expect(await runSteps([map('A'), unmapAll, read('r')], [ret('r', '-EFAULT')])).toEqual(passes);
  });

  it('faults also in the branch of another thread', async () => {
    const concurrent = { op: 'concurrent', args: { branches: [[unmapAll], []] } };
    expect(await runSteps([map('A'), concurrent, read('r')], [ret('r', '-EFAULT')])).toEqual(passes);
  });

  it('may be mapped again, and goes again', async () => {
    const again = map('A', { fixed: true, at_off: 0 });
    const steps = [map('A'), unmapAll, again, read('there'), unmapAll, read('gone')];
    expect(await runSteps(steps, [zeros('there'), ret('gone', '-EFAULT')])).toEqual(passes);
  });

  it('is none of those that a device polls', async () => {
    const loop = {
      op: 'gpu_read_loop',
      args: { dev: 'gpu0', readers: 'one per buffer', seconds: 1, on_stop_write: 5 },
      as: 'loop',
    };
    const steps = [{ op: 'bind_mirror', args: { dev: 'gpu0' } }, map('A'), unmapAll, map('B'), loop];
    expect(await runSteps(steps, [ret('loop', 0), { type: 'all_results', value: 5 }])).toEqual(passes);
  });
});

it("a device's file can be mapped where no step names a device", async () => {
  expect(await runSteps([map('V', { backing: 'device_file' }), read('r', 'V')], [zeros('r')])).toEqual(
    passes,
  );
});

it.each([2, 3])('a step that begins at page %i of a buffer of two says so', async (off) => {
  const beyond = { op: 'cpu_read', args: { buf: 'A', off } };
  const found = `buffer A has 2 pages, and none at ${off}`;
  expect(await runSteps([map('A'), beyond], [])).toMatchObject({ status: 'fail', problems: [{ found }] });
});
