/** Which driver a case gets, where its operations are those of both, and that they mean the same there. */

import { describe, expect, it } from 'vitest';
import { type Case, caseSchema } from '../../../src/case/caseSchema.js';
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

  it('is the test device where expectations need that', () => {
    expect(caseDriver(caseOf([counter], [{ type: 'cpages', step: 'c', value: 16 }]))).toBe('mirror');
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
