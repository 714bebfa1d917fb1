/** Expectations against results: each kind holds where it should, and says what it found where it does not. */

import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/case/evaluate.js';
import { isOfWhole, labelsOf } from '../../src/case/expectedSteps.js';
import { type CaseExpectation, expectationSchema } from '../../src/case/expectSchemas.js';
import { contentOf, fillPage, type PageContent, patternContent } from '../../src/case/pageContent.js';
import type { CaseResults, StepResult } from '../../src/case/stepResult.js';

function results(steps: Record<string, StepResult>, more: Partial<CaseResults> = {}): CaseResults {
  return {
    steps,
    events: [],
    buffers: [],
    exits: [],
    readerResults: [],
    broken: null,
    ...more,
  };
}

function found(expectation: object, step: StepResult, more: Partial<CaseResults> = {}): string | null {
  const parsed: CaseExpectation = expectationSchema.parse(expectation);
  return evaluate([parsed], results({ s: step }, more))[0]?.found ?? null;
}

const index = (page: number): PageContent => patternContent({ p: 'index', k: 0 }, page);

describe('a condition', () => {
  // As text: an object with a property of that name looks like a promise.
  const parse = (text: string): CaseExpectation => expectationSchema.parse(JSON.parse(text));
  const conditional = parse(
    '{"type": "if_ret_zero", "step": "s", "then": [{"type": "ret", "step": "t", "value": 0},' +
      '{"type": "if_ret_zero", "step": "u", "then": [{"type": "value", "step": "v", "value": 1}]}]}',
  );

  it('asks nothing where its step failed, and all that it says where it did not', () => {
    const steps = { t: { ret: -1 }, u: { ret: -1 } };
    expect(evaluate([conditional], results({ s: { ret: -1 }, ...steps }))).toEqual([]);
    expect(evaluate([conditional], results({ s: { ret: 0 }, ...steps }))).toHaveLength(1);
  });

  it('does not hold where its step did not run', () => {
    const [mismatch] = evaluate([conditional], results({}));
    expect([mismatch.expected, mismatch.found]).toEqual(['step s to run', 'it did not']);
  });

  it('is about all steps that it names', () => {
    expect([labelsOf(conditional), isOfWhole(conditional)]).toEqual([['s', 't', 'u', 'v'], false]);
    const delta = expectationSchema.parse({ type: 'counter_delta', frm: 'a', to: 'b', value: 1 });
    expect(labelsOf(delta)).toEqual(['a', 'b']);
    const whole = '[{"type": "cpu_fault_migrations", "buf": "A", "value": 0}]';
    expect(isOfWhole(parse(`{"type": "if_ret_zero", "step": "s", "then": ${whole}}`))).toBe(true);
  });
});

it('a label may be a name that every object has', () => {
  const ofIt = expectationSchema.parse({ type: 'ret', step: 'constructor', value: 0 });
  expect(evaluate([ofIt], results({}))[0]?.found).toBe('it did not');
  expect(evaluate([ofIt], results({ constructor: { ret: 0 } }))).toEqual([]);
});

describe('a return value', () => {
  it('is 0, an errno by name, any but 0, or the name of an error', () => {
    expect(found({ type: 'ret', step: 's', value: 0 }, { ret: 0 })).toBeNull();
    expect(found({ type: 'ret', step: 's', value: '-EFAULT' }, { ret: -14 })).toBeNull();
    expect(found({ type: 'ret', step: 's', value: 'nonzero' }, { ret: -14 })).toBeNull();
    expect(found({ type: 'ret', step: 's', value: 'invalid_value' }, { ret: 'invalid_value' })).toBeNull();
    expect(found({ type: 'ret', step: 's', value: 0 }, { ret: -14 })).toBe('ret -EFAULT');
    expect(found({ type: 'ret', step: 's', value: 'nonzero' }, { ret: 0 })).toBe('ret 0');
  });

  it('may be an errno by its number', () => {
    expect(found({ type: 'ret', step: 's', value: -22 }, { ret: -22 })).toBeNull();
    expect(found({ type: 'ret', step: 's', value: -22 }, { ret: -14 })).toBe('ret -EFAULT');
    expect(found({ type: 'one_of', step: 's', values: [0, -22] }, { ret: -22 })).toBeNull();
  });
});

describe('data', () => {
  const data = [index(2), index(3), patternContent({ p: 'zero' }, 4)];

  it('counts pages from the first that was read, and patterns from the start of the buffer', () => {
    const read: StepResult = { ret: 0, data, firstPage: 2 };
    expect(found({ type: 'data', step: 's', pages: 2, equals: { p: 'index', k: 0 } }, read)).toBeNull();
    expect(found({ type: 'data', step: 's', off: 2, equals: { p: 'zero' } }, read)).toBeNull();
    expect(found({ type: 'data', step: 's', equals: { p: 'index', k: 0 } }, read)).toContain('every dword 0');
    expect(found({ type: 'data', step: 's', off: 1, pages: 1, equals: { p: 'neg_index' } }, read)).toContain(
      '3072 (',
    );
  });

  it('that is missing, or too short, does not hold', () => {
    const failed = { ret: -14, note: 'no mirror' };
    const [mismatch] = evaluate(
      [expectationSchema.parse({ type: 'data', step: 's', equals: { p: 'const', v: 7 } })],
      results({ s: failed }),
    );
    expect(mismatch?.expected).toBe('data from page 0 on: every dword 7');
    expect(mismatch?.found).toBe('none, ret -EFAULT (no mirror)');
    const read: StepResult = { ret: 0, data: [patternContent({ p: 'zero' }, 0)] };
    expect(found({ type: 'data', step: 's', off: 0, pages: 2, equals: { p: 'zero' } }, read)).toBe('1');
  });

  it('is told shortly, but exactly', () => {
    const words = new Int32Array(2048);
    for (const pattern of [
      { p: 'index', k: -5 },
      { p: 'neg_index' },
      { p: 'byte', v: 0xfe },
      { p: 'const', v: 2 ** 32 - 1 },
    ] as const) {
      fillPage(words, 1024, pattern, 7);
      expect(contentOf(words, 1024)).toEqual(patternContent(pattern, 7));
    }
    words[1024 + 700]++;
    expect(contentOf(words, 1024).kind).toBe('words');
    const read: StepResult = { ret: 0, data: [contentOf(words, 1024)] };
    expect(found({ type: 'data', step: 's', equals: { p: 'const', v: -1 } }, read)).toContain('0 (');
  });
});

describe('pages', () => {
  it('have what a snapshot says, run by run', () => {
    const step: StepResult = { ret: 0, prot: Uint8Array.of(2, 2, 0xff), firstPage: 5 };
    const runs = (value: number) => ({
      type: 'prot',
      step: 's',
      pages: [
        { first: 0, count: 2, value: 2 },
        { first: 2, count: 1, value },
      ],
    });
    expect(found(runs(0xff), step)).toBeNull();
    expect(found(runs(0x21), step)).toBe('it is ERROR (0xff)');
  });

  it('live where they should, sys and cpu being one', () => {
    const step: StepResult = { ret: 0, residency: ['sys', 'gpu1'] };
    expect(found({ type: 'residency', step: 's', where: ['cpu', 'gpu1'] }, step)).toBeNull();
    expect(found({ type: 'residency', step: 's', where: 'sys' }, step)).toBe('it is in gpu1');
  });

  it('are in pagemap as they should, as far as that is said', () => {
    const pagemap = [{ present: false, swap: true, softDirty: false }];
    expect(found({ type: 'pagemap', step: 's', swap: true, present: false }, { ret: 0, pagemap })).toBeNull();
    expect(found({ type: 'pagemap', step: 's', present: true }, { ret: 0, pagemap })).toContain(
      '"present":false',
    );
  });
});

describe('values', () => {
  it('are dwords of either sign, one of several, or the change of a counter', () => {
    expect(found({ type: 'value', step: 's', value: 2 ** 32 - 1 }, { ret: 0, value: -1 })).toBeNull();
    expect(found({ type: 'one_of', step: 's', values: [70, 80] }, { ret: 0, value: 80 })).toBeNull();
    expect(found({ type: 'one_of', step: 's', values: [70, 80] }, { ret: 0, value: 75 })).toBe('75');
    const counters = results({ a: { ret: 0, value: 3 }, b: { ret: 0, value: 7 } });
    const delta = (value: number | string) =>
      evaluate([expectationSchema.parse({ type: 'counter_delta', frm: 'a', to: 'b', value })], counters);
    expect([delta(4), delta('>0'), delta('>=4')]).toEqual([[], [], []]);
    expect(delta('<4')[0].found).toBe('4');
  });

  it('repeat over bytes, and are JSON where an attribute is', () => {
    const bytes = Uint8Array.of(0, 1, 2, 0, 1);
    expect(found({ type: 'byte_cycle', step: 's', values: [0, 1, 2] }, { ret: 0, bytes })).toBeNull();
    expect(found({ type: 'byte_cycle', step: 's', values: [0, 1] }, { ret: 0, bytes })).toBe('it is 2');
    expect(
      found({ type: 'attr', step: 's', value: ['cpu', 'gpu0'] }, { ret: 0, attr: ['cpu', 'gpu0'] }),
    ).toBeNull();
    expect(found({ type: 'attr', step: 's', value: ['cpu'] }, { ret: 0, attr: ['gpu0'] })).toBe('["gpu0"]');
  });
});

describe('what nothing is compared with does not hold:', () => {
  const read: StepResult = { ret: 0, data: [index(0)] };
  const pagemap = { present: true };
  const cases: readonly (readonly [string, object, StepResult])[] = [
    ['data beyond what was read', { type: 'data', off: 1, equals: { p: 'zero' } }, read],
    ['data of no pages', { type: 'data', equals: { p: 'zero' } }, { ret: 0, data: [] }],
    ['more places than pages', { type: 'residency', where: ['sys', 'sys'] }, { ret: 0, residency: ['sys'] }],
    ['where no pages are', { type: 'residency', where: 'sys' }, { ret: 0, residency: [] }],
    ['a pagemap of no pages', { type: 'pagemap', ...pagemap }, { ret: 0, pagemap: [] }],
    ['bytes of no pages', { type: 'byte_cycle', values: [0] }, { ret: 0, bytes: new Uint8Array(0) }],
    ['an object against a list', { type: 'attr', value: {} }, { ret: 0, attr: ['gpu0'] }],
    ['an empty object', { type: 'attr', value: {} }, { ret: 0, attr: { gpu0: 1 } }],
  ];

  it.each(cases)('%s', (_, expectation, step) => {
    expect(found({ ...expectation, step: 's' }, step)).not.toBeNull();
  });
});

describe('what follows a return of 0', () => {
  // biome-ignore lint/suspicious/noThenProperty: the key of the file format
  const conditional = { type: 'if_ret_zero', step: 's', then: [{ type: 'cpages', step: 's', value: 4 }] };

  it('is looked at only then', () => {
    expect(found(conditional, { ret: -16 })).toBeNull();
    expect(found(conditional, { ret: 0, cpages: 4 })).toBeNull();
    expect(found(conditional, { ret: 0, cpages: 3 })).toBe('3');
  });
});

describe('the whole case', () => {
  const none: StepResult = { ret: 0 };

  it('has processes that exit and readers that write, at least one', () => {
    expect(found({ type: 'all_processes_exit', value: 0 }, none, { exits: [0, 0] })).toBeNull();
    expect(found({ type: 'all_processes_exit', value: 0 }, none, { exits: [0, 9] })).not.toBeNull();
    expect(found({ type: 'all_results', value: 1 }, none)).toBe('there is none');
  });

  it('has events where a buffer is', () => {
    const event = { kind: 'migrate_start', mm: 1, page: 102, npages: 4, trigger: 'prefetch' };
    const buffers = [{ process: 'p0', mm: 1, name: 'A', start: 100, pages: 8 }];
    const wanted = { type: 'event', kind: 'migrate_start', buf: 'A', pages: 4 };
    expect(found({ ...wanted, off: 2 }, none, { events: [event], buffers })).toBeNull();
    expect(found({ ...wanted, off: 0 }, none, { events: [event], buffers })).toContain('prefetch');
  });

  it('counts migrations by faults of CPUs within a buffer of its process', () => {
    const event = { kind: 'migrate_start', mm: 1, page: 100, npages: 4, trigger: 'cpu_fault' };
    const events = [event, { ...event, page: 108 }, { ...event, mm: 2 }, { ...event, trigger: 'prefetch' }];
    const buffers = [{ process: 'p0', mm: 1, name: 'A', start: 100, pages: 8 }];
    const wanted = { type: 'cpu_fault_migrations', buf: 'A' };
    expect(found({ ...wanted, value: 1 }, none, { events, buffers })).toBeNull();
    expect(found({ ...wanted, value: 2 }, none, { events, buffers })).toBe('1');
  });
});
