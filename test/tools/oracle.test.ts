/** The recorder of real kernels, as far as it needs none: the lines that it is given, and the cases made of what it prints. */

import { describe, expect, it } from 'vitest';
import { type Case, caseSchema } from '../../src/case/caseSchema.js';
import { runCase } from '../../src/simulation/case/runCase.js';
import { MIXTURES, type MixtureName, randomCase } from '../../tools/oracle/randomCases.js';
import { parseRecordings, recordedCase, recordingName } from '../../tools/oracle/recordings.js';
import { stepLine } from '../../tools/oracle/stepLine.js';

const MIXTURE_NAMES = Object.keys(MIXTURES) as MixtureName[];

function caseOf(...steps: unknown[]): Case {
  return caseSchema.parse({ suite: 's', name: 'one', steps });
}

const bind = { op: 'bind_mirror', args: { dev: 'gpu1', kind: 'coherent' } };
const map = { op: 'mmap', args: { proc: 'p0', buf: 'A', pages: 4, prot: 'rw' } };
const read = { op: 'cpu_read', args: { proc: 'p0', buf: 'A', off: 0, pages: 4 } };
const onB = { op: 'cpu_read', args: { proc: 'p0', buf: 'B', off: 0, pages: 2 } };
const move = { op: 'mremap', args: { proc: 'p0', buf: 'A', off: 0, pages: 2, new_buf: 'B', to: 'fresh' } };
const snapshot = { op: 'snapshot', args: { dev: 'gpu1', buf: 'A', off: 1, pages: 3 } };

describe('what was recorded', () => {
  it('is told apart by the variant of its case', () => {
    const one = caseOf(map);
    const other = { ...one, variant: 'huge' };
    const printed = `case ${recordingName(one)}\n0 ret 0\ncase ${recordingName(other)}\n0 ret -12\nend\n`;
    const recordings = parseRecordings(printed);
    expect(recordings.get(recordingName(one))).toEqual([{ ret: 0 }]);
    expect(recordings.get(recordingName(other))).toEqual([{ ret: -12 }]);
  });

  it('leaves out what is done to a buffer that could not be made', () => {
    const printed = 'case one\n0 ret -12\n1 ret -14 data x x x x\n2 ret -14\nend\n';
    const advise = { op: 'munlock', args: { buf: 'A', off: 0, pages: 1 } };
    const recorded = recordedCase(caseOf(map, read, advise), parseRecordings(printed).get('one') ?? []);
    expect(recorded?.steps.map(({ op }) => op)).toEqual(['mmap']);
  });
});

describe('a line', () => {
  it('names process, operation and numbers', () => {
    expect(caseOf(bind, map, move, snapshot).steps.map(stepLine)).toEqual([
      'p0 bind_mirror 1 1',
      'p0 mmap 0 4 rw private anon 0 -1 0',
      'p0 mremap 0 0 2 1 0',
      'p0 snapshot 1 0 1 3',
    ]);
  });

  it.each([
    [
      { op: 'query_residency', args: { buf: 'A', off: 0, pages: 1 } },
      'the recorder knows no query_residency',
    ],
    [{ op: 'munlock', args: { buf: 'A', off: 0 } }, 'a step on A says no pages'],
    [{ op: 'reclaim', args: { off: 0 } }, 'the recorder reclaims spans only'],
    [{ op: 'munlock', args: { buf: 'Q', off: 0, pages: 1 } }, 'found the buffer Q, allowed: A, B, C'],
    [{ op: 'munlock', args: { buf: 'A', off: 0, pages: 4096 } }, 'found 4096 pages, allowed: up to 2048'],
    [
      { op: 'munlock', args: { proc: 'p1', buf: 'A', off: 0, pages: 1 } },
      'found the process p1, allowed: p0, c0',
    ],
    [{ op: 'bind_mirror', args: { dev: 'gpu2' } }, 'found the device gpu2, allowed: gpu0, gpu1'],
    [{ op: 'file_read', args: { file: 'A' } }, 'found the file A, allowed: F, G, H, I'],
    [
      { op: 'mmap', args: { ...map.args, backing: 'device_file' } },
      'found the backing device_file, allowed: anon',
    ],
    [{ op: 'mmap', args: { ...map.args, align_pages: 8 } }, 'found align_pages 8, allowed: none, or 512'],
    [{ op: 'mremap', args: { ...move.args, to: { buf: 'C', off: 0 } } }, 'moves pages to fresh places only'],
    [
      { ...read, op: 'cpu_write', args: { ...read.args, pattern: { p: 'index', k: 1 } } },
      'writes no pattern index',
    ],
  ])('is refused for what the recorder cannot do: %j', (step, message) => {
    const one = caseOf(map, step);
    expect(() => stepLine(one.steps[1])).toThrow(message);
  });
});

describe('what was recorded', () => {
  it('becomes expectations: runs of equal pages, names of errnos and of protection', () => {
    const one = caseOf(bind, map, read, snapshot, {
      op: 'gpu_write',
      args: { dev: 'gpu1', buf: 'A', off: 0, pages: 1, pattern: { p: 'const', v: 7 } },
    });
    const printed =
      'case one\r\n0 ret 0\r\n1 ret 0\r\n2 ret 0 data 0 0 5 5\r\n3 ret 0 cpages 3 faults 0 prot 66 66 17\r\n4 ret -1\r\nend\r\n';
    const recorded = recordedCase(one, parseRecordings(printed).get('one') ?? []);
    expect(recorded?.expect).toEqual([
      { type: 'data', step: 's2', off: 0, pages: 2, equals: { p: 'zero' } },
      { type: 'data', step: 's2', off: 2, pages: 2, equals: { p: 'const', v: 5 } },
      { type: 'ret', step: 's3', value: 0 },
      { type: 'cpages', step: 's3', value: 3 },
      {
        type: 'prot',
        step: 's3',
        pages: [
          { first: 0, count: 2, value: 66, names: ['DEV_COHERENT_LOCAL', 'WRITE'] },
          { first: 2, count: 1, value: 17, names: ['ZERO', 'READ'] },
        ],
      },
      { type: 'ret', step: 's4', value: '-EPERM' },
    ]);
    expect(caseSchema.safeParse(recorded).success).toBe(true);
  });

  it('keeps CPU accesses where they were allowed, and no steps on a buffer that could not be made', () => {
    const printed = 'case one\n0 ret 0\n1 ret -14\n2 ret 0 data 1 1\n3 ret 0 data 1 x x 1\nend\n';
    const recorded = recordedCase(caseOf(map, move, onB, read), parseRecordings(printed).get('one') ?? []);
    expect(recorded?.steps.slice(2).map(({ args }) => args)).toEqual([
      { ...read.args, pages: 1 },
      { ...read.args, off: 3, pages: 1 },
    ]);
    expect(recorded?.expect[0]).toEqual({ type: 'ret', step: 's1', value: '-EFAULT' });
  });

  it('tells that pages could not be pinned, which nobody knows the reason of', () => {
    const pin = { op: 'pin_unpin', args: { proc: 'p0', buf: 'A', off: 0, pages: 1, mode: 'pin_write' } };
    const printed = 'case one\n0 ret 0\n1 ret -14\n2 ret 0\nend\n';
    expect(recordedCase(caseOf(map, pin, pin), parseRecordings(printed).get('one') ?? [])?.expect).toEqual([
      { type: 'ret', step: 's1', value: 'nonzero' },
      { type: 'ret', step: 's2', value: 0 },
    ]);
  });

  it('has the bits of /proc/self/pagemap by name', () => {
    const look = { op: 'pagemap_read', args: { proc: 'p0', buf: 'A', off: 0, pages: 1 } };
    const printed = 'case one\n0 ret 0\n1 ret 0 pagemap 0 1 1\nend\n';
    expect(recordedCase(caseOf(map, look), parseRecordings(printed).get('one') ?? [])?.expect).toEqual([
      { type: 'pagemap', step: 's1', present: false, swap: true, soft_dirty: true },
    ]);
  });

  it('is no case when a step is missing, or says something else on one page', () => {
    const results = (text: string) => parseRecordings(text).get('one') ?? [];
    expect(recordedCase(caseOf(map, read), results('case one\n0 ret 0\nend\n'))).toBeNull();
    expect(
      recordedCase(caseOf(map, read), results('case one\n0 ret 0\n1 ret 0 data 1 ? 1 1\nend\n')),
    ).toBeNull();
    expect(recordedCase(caseOf(bind), results('case one\n0 ret -2\nend\n'))).toBeNull();
  });

  it('counts only when the recorder came to its end', () => {
    expect(() => parseRecordings('case one\n0 ret 0\n')).toThrow('the last case that it began is one');
  });
});

describe.each(MIXTURE_NAMES)('a random sequence of the mixture %s', (name) => {
  it('is the same for the same seed, can be recorded, and can be replayed', async () => {
    expect(randomCase(name, 5)).toEqual(randomCase(name, 5));
    expect(randomCase(name, 5).steps).not.toEqual(randomCase(name, 6).steps);
    for (let seed = 1; seed <= 50; seed++) randomCase(name, seed).steps.map(stepLine);
    const one = caseSchema.parse(randomCase(name, 5));
    // Loads and stores that fail are in it: nothing has been recorded that would leave them out.
    const { problems } = await runCase(one, { executor: 'virtual', seed: 1 });
    expect(problems.filter(({ expectation }) => expectation.startsWith('invariant'))).toEqual([]);
  });
});
