/** Which driver a case gets, where its operations are those of both, and that they mean the same there. */

import { describe, expect, it } from 'vitest';
import { type Case, caseSchema } from '../../../src/case/caseSchema.js';
import { protOf } from '../../../src/case/protNames.js';
import { caseDriver } from '../../../src/simulation/case/caseMachine.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

const setup = [
  { op: 'bind_mirror', args: { proc: 'p0', dev: 'gpu0' } },
  { op: 'mmap', args: { buf: 'A', pages: 16, prot: 'rw' } },
  { op: 'cpu_write', args: { buf: 'A', off: 0, pattern: { p: 'index', k: 3 } } },
];
const data = (step: string) => ({ type: 'data', step, equals: { p: 'index', k: 3 } });
const residency = (step: string, where: string) => ({ type: 'residency', step, where, basis: 'implied' });
const migrate = { op: 'migrate_to_device', args: { dev: 'gpu0', buf: 'A', off: 0 }, as: 'm' };
/** Only the reference driver has it; it changes nothing. */
const counter = { op: 'read_counter', args: { dev: 'gpu0', counter: 'svm_pagefault_count' }, as: 'c' };
const where = (as: string) => ({ op: 'query_residency', args: { buf: 'A', off: 0, pages: 16 }, as });

function caseOf(steps: readonly object[], expectations: readonly object[] = []): Case {
  return caseSchema.parse({ suite: 's', name: 'n', steps: [...setup, ...steps], expect: expectations });
}

async function outcome(one: Case) {
  const { status, problems, missing } = await runCase(one, { executor: 'virtual', seed: 1 });
  return { status, problems, missing };
}

const passes = { status: 'pass', problems: [], missing: null };

describe('the driver', () => {
  it('is the test device where its commands alone are named', () => {
    expect(caseDriver(caseOf([migrate]))).toBe('mirror');
  });

  it('is the reference driver where other operations need it', () => {
    expect(caseDriver(caseOf([migrate, counter]))).toBe('reference');
    expect(caseDriver(caseOf([]))).toBe('reference');
  });

  it('is the test device where expectations are its own, unless other operations need the reference driver', () => {
    const cpages = { type: 'cpages', step: 'r', value: 16 };
    const read = { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 0 }, as: 'r' };
    expect(caseDriver(caseOf([read], [cpages]))).toBe('mirror');
    expect(caseDriver(caseOf([read, counter], [cpages]))).toBe('reference');
  });
});

describe('on GPUs of the reference driver', () => {
  it('commands migrate there and back', async () => {
    const back = { op: 'migrate_to_sys', args: { dev: 'gpu0', buf: 'A', off: 0 } };
    const steps = [counter, migrate, where('there'), back, where('here')];
    const one = caseOf(steps, [data('m'), residency('there', 'gpu0'), residency('here', 'sys')]);
    expect(await outcome(one)).toEqual(passes);
  });

  it('eviction empties the device', async () => {
    const evict = { op: 'evict_device', args: { dev: 'gpu0' } };
    const read = { op: 'cpu_read', args: { buf: 'A', off: 0 }, as: 'r' };
    const one = caseOf([counter, migrate, evict, where('w'), read], [residency('w', 'sys'), data('r')]);
    expect(await outcome(one)).toEqual(passes);
  });

  it('an allocation that fails leaves pages where they are, once', async () => {
    const fail = { op: 'inject_alloc_failure', args: { dev: 'gpu0', count: 1 } };
    const prefetch = { op: 'prefetch', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 16, target: 'gpu0' } };
    const steps = [fail, prefetch, where('failed'), prefetch, where('done')];
    const one = caseOf(steps, [residency('failed', 'sys'), residency('done', 'gpu0')]);
    expect(await outcome(one)).toEqual(passes);
  });
});

/** What only GPUs of the reference driver do, with what only the test device does. */
describe('commands of the test device, given to GPUs of the reference driver', () => {
  const other = { op: 'bind_mirror', args: { proc: 'p0', dev: 'gpu1' } };
  const atomic = { op: 'gpu_atomic_inc', args: { dev: 'gpu0', buf: 'A', dword: 0, count: 4 } };
  const span = { buf: 'A', off: 0, pages: 16 };
  const snapshot = (dev: string, as: string) => ({ op: 'snapshot', args: { dev, ...span }, as });
  const exclusive = { op: 'exclusive', args: { dev: 'gpu1', ...span }, as: 'x' };
  const check = (as: string) => ({ op: 'check_exclusive', args: { dev: 'gpu1', ...span }, as });
  const prot = (step: string, ...names: string[]) => ({
    type: 'prot',
    step,
    pages: [{ first: 0, count: 16, value: protOf(names) }],
  });
  const ret = (step: string, value: unknown) => ({ type: 'ret', step, value });
  const count = (type: string, step: string, value: number) => ({ type, step, value });

  it('snapshots tell RAM from own memory and from that of linked GPUs', async () => {
    const steps = [
      other,
      snapshot('gpu0', 'ram'),
      atomic,
      snapshot('gpu0', 'own'),
      snapshot('gpu1', 'foreign'),
    ];
    const expected = [
      prot('ram', 'WRITE'),
      prot('own', 'WRITE', 'DEV_PRIVATE_LOCAL'),
      prot('foreign', 'WRITE', 'DEV_PRIVATE_REMOTE'),
    ];
    expect(await outcome(caseOf(steps, expected))).toEqual(passes);
  });

  it('snapshots do not see the memory of GPUs that are not linked', async () => {
    const steps = [other, atomic, snapshot('gpu0', 'own'), snapshot('gpu1', 'foreign')];
    const one = caseOf(steps, [prot('own', 'WRITE', 'DEV_PRIVATE_LOCAL'), prot('foreign', 'NONE')]);
    expect(await outcome({ ...one, params: { interconnect: 'none' } })).toEqual(passes);
  });

  it('exclusive access brings pages home, also where an atomic wants them kept, and ends with any other access', async () => {
    const read = { op: 'gpu_read', args: { dev: 'gpu0', ...span }, as: 'r' };
    const steps = [other, atomic, exclusive, where('home'), check('held'), read, check('lost')];
    const expected = [
      count('cpages', 'x', 16),
      residency('home', 'none'),
      ret('held', '-EPERM'),
      count('cpages', 'r', 16),
      count('faults', 'r', 1),
      ret('lost', 0),
    ];
    expect(await outcome(caseOf(steps, expected))).toEqual(passes);
  });

  it('exclusive access ends with the mirror, and without a mirror there is none', async () => {
    const unbind = { op: 'unbind_mirror', args: { proc: 'p0', dev: 'gpu1' } };
    const steps = [other, counter, exclusive, unbind, snapshot('gpu1', 'gone'), other, check('again')];
    const expected = [ret('x', 0), ret('gone', '-ENODEV'), ret('again', 0)];
    expect(await outcome(caseOf(steps, expected))).toEqual(passes);
  });

  it('pages that leave the device are counted, once', async () => {
    const home = (as: string) => ({ op: 'migrate_to_sys', args: { dev: 'gpu0', ...span }, as });
    const one = caseOf(
      [atomic, home('first'), home('second')],
      [count('cpages', 'first', 16), count('cpages', 'second', 0)],
    );
    expect(await outcome(one)).toEqual(passes);
  });

  it('coherent memory is reached by CPU and other GPUs where it is, and comes home when asked', async () => {
    const coherent = (dev: string) => ({ op: 'bind_mirror', args: { proc: 'p0', dev, kind: 'coherent' } });
    const read = { op: 'cpu_read', args: { buf: 'A', off: 0 }, as: 'r' };
    const add = { op: 'gpu_add', args: { dev: 'gpu1', buf: 'A', off: 0, value: 0 } };
    const home = { op: 'migrate_to_sys', args: { dev: 'gpu0', ...span }, as: 'back' };
    const steps = [
      migrate,
      read,
      snapshot('gpu0', 'own'),
      snapshot('gpu1', 'foreign'),
      home,
      where('end'),
      add,
    ];
    const [, ...rest] = setup;
    const one = caseSchema.parse({
      suite: 's',
      name: 'n',
      params: { interconnect: 'none' },
      steps: [coherent('gpu0'), coherent('gpu1'), ...rest, ...steps],
      expect: [
        data('r'),
        prot('own', 'WRITE', 'DEV_COHERENT_LOCAL'),
        prot('foreign', 'WRITE', 'DEV_COHERENT_REMOTE'),
        count('cpages', 'back', 16),
        residency('end', 'sys'),
      ],
    });
    expect(caseDriver(one)).toBe('reference');
    expect(await outcome(one)).toEqual(passes);
  });

  it('a read gives pages, and no value that an expectation could take for one of them', async () => {
    const read = { op: 'gpu_read', args: { dev: 'gpu0', ...span }, as: 'r' };
    const { status, problems } = await outcome(
      caseOf([atomic, read], [{ type: 'value', step: 'r', value: 0 }]),
    );
    expect([status, problems.length]).toEqual(['fail', 1]);
  });

  it('a pin waits for pages that an atomic wants kept', async () => {
    const pin = {
      op: 'pin_unpin',
      args: { buf: 'A', off: 0, pages: 16, mode: 'pin_longterm_write' },
      as: 'p',
    };
    const one = caseOf([atomic, pin, where('w')], [ret('p', 0), residency('w', 'sys')]);
    expect(await outcome(one)).toEqual(passes);
  });
});
