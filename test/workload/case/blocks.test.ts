/** Blocks of steps within one another: who runs side by side, what is known afterwards, where barriers hold, and what ends a case. */

import { describe, expect, it } from 'vitest';
import { caseSchema } from '../../../src/case/caseSchema.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

type Steps = readonly object[];

const mmap = (buf: string, more: object = {}) => ({
  op: 'mmap',
  args: { buf, pages: 1, prot: 'rw', ...more },
});
const add = (buf: string, value = 1, more: object = {}) => ({
  op: 'cpu_add32',
  args: { buf, dword: 0, value, ...more },
});
const load = (as: string, more: object = {}, buf = 'S') => ({
  op: 'cpu_load32',
  args: { buf, dword: 0, ...more },
  as,
});
const concurrent = (...branches: Steps[]) => ({ op: 'concurrent', args: { branches } });
const repeat = (count: number, ...steps: Steps) => ({ op: 'repeat', args: { count, steps } });
const processes = (count: number, ...steps: Steps) => ({ op: 'repeat_processes', args: { count, steps } });
const barrier = { op: 'barrier', args: {} };
const fork = (child: string) => ({ op: 'fork', args: { child } });
const exit = (proc: string) => ({ op: 'exit', args: { proc } });
/** A page that all processes share. */
const shared = mmap('S', { share: 'shared' });
const value = (step: string, is: number) => ({ type: 'value', step, value: is });

function run(steps: Steps, expectations: Steps = [], executor: 'virtual' | 'threads' = 'virtual', seed = 1) {
  const one = caseSchema.parse({ suite: 's', name: 'n', steps, expect: expectations });
  return runCase(one, { executor, seed });
}

const good = { status: 'pass', problems: [] };

/** Name, steps that add to the shared page, and the sum. */
const nestings: readonly (readonly [string, Steps, number])[] = [
  ['repeat within a branch', [concurrent([repeat(3, add('S'))], [add('S', 10)])], 13],
  ['concurrent within repeat', [repeat(3, concurrent([add('S')], [add('S', 10)]))], 33],
  [
    'two concurrent blocks in a row',
    [concurrent([add('S')], [add('S')]), concurrent([add('S')], [add('S')])],
    4,
  ],
  [
    'concurrent within a branch',
    [concurrent([concurrent([add('S')], [add('S')]), add('S')], [add('S', 10)])],
    13,
  ],
  ['processes within repeat', [repeat(2, processes(3, add('S')))], 6],
  ['concurrent within processes', [processes(2, concurrent([add('S')], [add('S', 10)]))], 22],
  ['processes within a branch', [concurrent([processes(2, add('S'))], [processes(2, add('S', 10))])], 22],
  ['processes within processes', [processes(2, processes(2, add('S')))], 4],
  ['a block without branches', [concurrent(), add('S')], 1],
];

describe('blocks within one another', () => {
  it.each(nestings)('%s', async (_, steps, sum) => {
    expect(await run([shared, ...steps, load('v')], [value('v', sum)])).toMatchObject(good);
  });

  it('run with every thread in a worker of its own, too', { timeout: 180_000 }, async () => {
    const steps = [shared, repeat(2, processes(2, concurrent([add('S')], [add('S', 10)]))), load('v')];
    expect(await run(steps, [value('v', 44)], 'threads')).toMatchObject(good);
  });

  it('may be branches of different processes', async () => {
    const inChild = { proc: 'c0' };
    const steps = [
      mmap('A'),
      fork('c0'),
      concurrent([add('A', 1)], [add('A', 2, inChild)]),
      concurrent([add('A', 10)], [add('A', 20, inChild)]),
      load('p', {}, 'A'),
      load('c', inChild, 'A'),
      exit('c0'),
    ];
    expect(await run(steps, [value('p', 11), value('c', 22)])).toMatchObject(good);
  });

  it('know afterwards what branches mapped, unmapped, forked and ended', async () => {
    const steps = [
      mmap('A'),
      fork('c0'),
      concurrent([mmap('B'), add('B', 5), fork('c1')], [mmap('C'), add('C', 6)], [exit('c0')]),
      load('b', { proc: 'c1' }, 'B'),
      load('c', {}, 'C'),
      fork('c0'),
      load('again', { proc: 'c0' }, 'C'),
    ];
    const expected = [value('b', 5), value('c', 6), value('again', 6)];
    expect(await run(steps, expected)).toMatchObject(good);
  });

  it('leave to what a branch did not touch what another one made of it', async () => {
    const moved = { op: 'mremap', args: { buf: 'A', new_buf: 'A', to: 'fresh' } };
    const steps = [mmap('A'), add('A', 7), mmap('B'), concurrent([moved], [add('B')]), load('v', {}, 'A')];
    expect(await run(steps, [value('v', 7)])).toMatchObject(good);
  });

  it('may end a process under another branch, which then goes no further', async () => {
    const inChild = { proc: 'c0' };
    const kill = { op: 'kill', args: { proc: 'c0' } };
    const busy = repeat(5, add('A', 1, inChild));
    const steps = [mmap('A'), fork('c0'), concurrent([busy], [add('A'), kill])];
    for (let seed = 1; seed <= 10; seed++) expect(await run(steps, [], 'virtual', seed)).toMatchObject(good);
  });

  it('count rounds each for itself: after an inner repetition the round is the outer one again', async () => {
    const steps = [
      repeat(2, mmap('A$i'), repeat(3, { ...mmap('B'), op: 'mmap' }), add('A$i', 1)),
      load('first', {}, 'A0'),
      load('second', {}, 'A1'),
    ];
    expect(await run(steps, [value('first', 1), value('second', 1)])).toMatchObject(good);
  });

  it('are looked at after each step of each branch', async () => {
    const { verifications } = await run([shared, concurrent([add('S'), add('S')], [add('S'), add('S')])]);
    // The two steps, and at least once for the steps of a pair of branches that end together.
    expect(verifications).toBeGreaterThanOrEqual(4);
  });
});

describe('barrier', () => {
  // Without it, a process that is ahead reads before the others have added.
  const meet = (count: number, ...before: Steps) =>
    processes(count, ...before, add('S'), barrier, load('seen'));

  it.each([1, 2, 3, 4, 5])('holds every process until all are there (seed %i)', async (seed) => {
    expect(await run([shared, meet(4)], [value('seen', 4)], 'virtual', seed)).toMatchObject(good);
  });

  it('is passed again and again', async () => {
    const rounds = processes(3, repeat(4, add('S'), barrier, load('seen'), barrier));
    const everyRound = { type: 'one_of', step: 'seen', values: [3, 6, 9, 12] };
    expect(await run([shared, rounds], [everyRound])).toMatchObject(good);
  });

  it('holds branches, and does not wait for those that have ended', async () => {
    const steps = [
      shared,
      concurrent([add('S'), barrier, load('seen')], [add('S', 10), barrier], [add('S', 100)]),
    ];
    const { status } = await run(steps);
    expect(status).toBe('pass');
  });

  it('is of the innermost block: others do not wait at it', async () => {
    const inner = concurrent([add('S'), barrier], [add('S'), barrier]);
    expect(await run([shared, processes(2, inner, barrier), load('v')], [value('v', 4)])).toMatchObject(good);
  });

  it('holds nobody outside of blocks', async () => {
    expect(await run([shared, barrier, load('v')], [value('v', 0)])).toMatchObject(good);
  });
});

describe('a label in a repeat', () => {
  const steps = [mmap('A'), repeat(3, load('seen', {}, 'A'), add('A'))];
  const one = (values: readonly number[]) =>
    caseSchema.parse({ suite: 's', name: 'n', steps, expect: [{ type: 'one_of', step: 'seen', values }] });

  it('is held against what is expected in each round', async () => {
    expect(await runCase(one([0, 1, 2]), { executor: 'virtual', seed: 1 })).toMatchObject({ status: 'pass' });
    const { status, problems } = await runCase(one([1, 2]), { executor: 'virtual', seed: 1 });
    expect([status, problems[0]?.found]).toEqual(['fail', '0, in round 0']);
  });

  it('is one of all its rounds where branches repeat too', async () => {
    const inBranch = [mmap('A'), repeat(2, concurrent([repeat(2, load('seen', {}, 'A'), add('A'))]))];
    const expectation = { type: 'one_of', step: 'seen', values: [0, 1, 3] };
    const bad = caseSchema.parse({ suite: 's', name: 'n', steps: inBranch, expect: [expectation] });
    const { problems } = await runCase(bad, { executor: 'virtual', seed: 1 });
    expect(problems[0]?.found).toBe('2, in round 2');
  });
});

describe('repeat_processes', () => {
  const exits = [{ type: 'all_processes_exit', value: 0 }];

  it('gives each process memory of its own', async () => {
    const steps = [mmap('A'), processes(3, add('A'), load('mine', {}, 'A')), load('parent', {}, 'A')];
    expect(await run(steps, [value('mine', 1), value('parent', 0), ...exits])).toMatchObject(good);
  });

  it('tells a failed step by the exit code of the process, where the case looks at that', async () => {
    const steps = [mmap('A', { prot: 'none' }), processes(2, add('A'))];
    expect(await run(steps, [{ type: 'all_processes_exit', value: 1 }])).toMatchObject(good);
    expect((await run(steps, exits)).status).toBe('fail');
  });

  it('fails the case where nobody looks at exit codes', async () => {
    const report = await run([mmap('A', { prot: 'none' }), processes(2, add('A'))]);
    expect(report).toMatchObject({
      status: 'fail',
      problems: [{ step: '1 (repeat_processes): cpu_add32 within it', found: 'ret -EFAULT' }],
    });
  });

  it('also tells of processes of blocks within', async () => {
    const failing = processes(2, { op: 'munmap', args: { buf: 'A', pages: 0 } });
    const steps = [mmap('A'), concurrent([repeat(2, failing)])];
    expect(await run(steps, [{ type: 'all_processes_exit', value: 1 }])).toMatchObject(good);
  });
});

describe('a step that prepares others', () => {
  const unmap = { op: 'munmap', args: { buf: 'A', pages: 0 } };

  it('and fails without a label fails the case, with step and errno', async () => {
    expect(await run([mmap('A'), unmap, load('v', {}, 'A')])).toMatchObject({
      status: 'fail',
      problems: [{ step: '1 (munmap)', found: 'ret -EINVAL' }],
    });
  });

  it('does so within blocks, and nothing is carried out after it', async () => {
    const steps = [mmap('A'), shared, repeat(3, concurrent([add('S'), unmap, add('S')])), load('v')];
    const report = await run(steps, [value('v', 1)]);
    expect(report.problems).toMatchObject([{ step: '2 (repeat): munmap within it', found: 'ret -EINVAL' }]);
  });

  it('may fail where a label says that somebody looks', async () => {
    const steps = [mmap('A'), { ...unmap, as: 'u' }];
    expect(await run(steps, [{ type: 'ret', step: 'u', value: '-EINVAL' }])).toMatchObject(good);
  });
});

describe('a process that another branch ends', () => {
  const ended = (step: string) => ({ type: 'ret', step, value: '-ENOENT' });
  const inChild = (as?: string) => ({ op: 'cpu_read', args: { proc: 'c0', buf: 'A' }, as });

  it.each(['kill', 'exit'])(
    'by %s has no further steps: those with a label fail, others are left out',
    async (op) => {
      const end = { op, args: { proc: 'c0' } };
      const steps = [
        mmap('A'),
        fork('c0'),
        concurrent(
          [
            inChild('before'),
            barrier,
            barrier,
            inChild('after'),
            inChild(),
            mmap('B', { proc: 'c0' }),
            add('A'),
          ],
          [barrier, end, barrier],
        ),
        load('l', {}, 'A'),
      ];
      const expectations = [{ type: 'ret', step: 'before', value: 0 }, ended('after'), value('l', 1)];
      expect(await run(steps, expectations)).toMatchObject(good);
    },
  );

  it('is no process any more after the block', async () => {
    const end = { op: 'kill', args: { proc: 'c0' } };
    const steps = [mmap('A'), fork('c0'), concurrent([end], []), inChild('x')];
    const { status, problems } = await run(steps);
    expect([status, problems[0]?.found]).toEqual(['fail', 'there is no process c0']);
  });
});
