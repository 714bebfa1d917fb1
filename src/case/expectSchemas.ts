/** Every expectation of a case: what a file may say, and the type that the evaluation gets. */

import { z } from 'zod';
import { Errno, isErrno } from '../base/errno.js';
import { formatProt, protNames, protOf } from './protNames.js';
import {
  byte,
  count,
  dword,
  flag,
  gpuPage,
  LIST_SEPARATOR,
  name,
  oneOf,
  pageCount,
  pattern,
  place,
  proc,
  text,
  wholeNumber,
} from './values.js';

/** Marks a check that the suite it comes from does not itself assert. */
const basis = { basis: text.optional() };

function expectation<const T extends string, S extends z.ZodRawShape>(type: T, keys: S) {
  const known = ['type', ...Object.keys(keys), 'basis'].join(LIST_SEPARATOR);
  return z.strictObject({ type: z.literal(type), ...keys, ...basis }, known);
}

/** Whatever looks like an errno must be one that a step can return: another would only never hold. */
const errnoNames = Object.keys(Errno)
  .filter((known) => known !== 'OK')
  .map((known) => `-${known}`);
const retAllowed = `0, nonzero, the name of an API's error, or one of: ${errnoNames.join(LIST_SEPARATOR)}`;
const retName = z.union(
  [z.enum(errnoNames, retAllowed), z.string(retAllowed).regex(/^(?!-|E[A-Z]+$)./, retAllowed)],
  retAllowed,
);

/** 0, a negative errno by name or number, `nonzero`, or the name or the positive code of an API's error. */
const ret = z.union(
  [wholeNumber.refine((code) => code >= 0 || isErrno(code), retAllowed), retName],
  retAllowed,
);

/** `[start, end, bo, first page in bo]` */
const va = z.tuple(
  [gpuPage, gpuPage, name.nullable(), pageCount().nullable()],
  'start, end, buffer object and its page',
);

const mapOp = z.strictObject(
  { op: z.literal('map'), start: gpuPage, end: gpuPage, bo: name.nullable(), bo_off: pageCount().nullable() },
  'op, start, end, bo, bo_off',
);

const vmOp = z.discriminatedUnion(
  'op',
  [
    mapOp,
    z.strictObject(
      {
        op: z.literal('unmap'),
        start: gpuPage,
        end: gpuPage,
        bo: name.nullable(),
        bo_off: pageCount().nullable(),
        keep: flag.optional(),
      },
      'op, start, end, bo, bo_off, keep',
    ),
    z.strictObject(
      {
        op: z.literal('remap'),
        unmap: va,
        keep: flag.optional(),
        prev: mapOp.nullable(),
        next: mapOp.nullable(),
      },
      'op, unmap, keep, prev, next',
    ),
  ],
  'an operation with op one of: map, unmap, remap',
);

export type VmOp = z.infer<typeof vmOp>;
export type Va = z.infer<typeof va>;

const protRun = z
  .strictObject(
    {
      first: pageCount(),
      count: pageCount(1),
      value: byte,
      /** What the value says, for readers. */
      names: z.array(oneOf(...protNames), 'a list of names').optional(),
    },
    'first, count, value, names',
  )
  .refine(({ value, names = [] }) => names.length === 0 || protOf(names) === value, {
    path: ['names'],
    error: ({ input }) => `the names of the value, ${namesOfValue(input)}`,
  });

/** Of a run as it stands in the file. */
function namesOfValue(run: unknown): string {
  const { value } = z.object({ value: byte }).parse(run);
  return formatProt(value);
}

export type ProtRun = z.infer<typeof protRun>;

const RUNS = 'a list of at least one run of pages';
const BITS = 'present, swap or soft_dirty';

const pagemap = expectation('pagemap', {
  step: name,
  present: flag.optional(),
  swap: flag.optional(),
  soft_dirty: flag.optional(),
}).refine(
  ({ present, swap, soft_dirty: softDirty }) =>
    present !== undefined || swap !== undefined || softDirty !== undefined,
  BITS,
);

const plainExpectations = [
  expectation('ret', { step: name, value: ret }),
  expectation('cpages', { step: name, value: count() }),
  expectation('faults', { step: name, value: count() }),
  expectation('data', {
    step: name,
    off: pageCount().optional(),
    pages: pageCount(1).optional(),
    equals: pattern,
  }),
  expectation('data_before', {
    step: name,
    off: pageCount().optional(),
    pages: pageCount(1).optional(),
    equals: pattern,
  }),
  expectation('value', { step: name, value: dword }),
  expectation('one_of', {
    step: name,
    values: z.array(z.union([dword, retName], `a number, ${retAllowed}`), 'a list'),
  }),
  expectation('attr', { step: name, value: z.json() }),
  expectation('prot', { step: name, pages: z.array(protRun, RUNS).min(1, RUNS) }),
  expectation('residency', {
    step: name,
    where: z.union(
      [place, z.literal('none'), z.array(z.union([place, z.literal('none')]))],
      'sys, none or a device',
    ),
  }),
  expectation('counter_delta', {
    frm: name,
    to: name,
    value: z.union(
      [wholeNumber, z.string().regex(/^(>|<|>=|<=)\s*\d+$/)],
      'a number, or >, <, >= or <= and a number',
    ),
  }),
  pagemap,
  expectation('event', {
    kind: oneOf('gpu_memory_fault', 'migrate_start'),
    buf: name,
    off: pageCount(),
    pages: pageCount(1).optional(),
    trigger: oneOf('prefetch', 'gpu_fault', 'cpu_fault', 'eviction').optional(),
    pid: proc.optional(),
  }),
  expectation('vm_ops', { step: name, ops: z.array(vmOp, 'a list of operations') }),
  expectation('vas', { after: name, vas: z.array(va, 'a list of addresses') }),
  expectation('cpu_fault_migrations', { buf: name, value: count() }),
  expectation('byte_cycle', {
    step: name,
    values: z.array(byte, 'a list of bytes').min(1, 'at least one byte'),
  }),
  expectation('all_processes_exit', { value: wholeNumber }),
  expectation('all_results', { value: dword }),
] as const;

export type PlainExpectation = z.infer<(typeof plainExpectations)[number]>;
export type ExpectationOf<T extends PlainExpectation['type']> = Extract<PlainExpectation, { type: T }>;

/** Holds what follows if the step returned 0. */
export interface IfRetZero {
  readonly type: 'if_ret_zero';
  readonly step: string;
  readonly then: readonly CaseExpectation[];
  readonly basis?: string | undefined;
}

export type CaseExpectation = PlainExpectation | IfRetZero;

const EXPECTATIONS = 'a list of at least one expectation';

const conditional = expectation('if_ret_zero', {
  step: name,
  // biome-ignore lint/suspicious/noThenProperty: the key of the file format
  then: z.lazy(
    (): z.ZodType<CaseExpectation[]> => z.array(expectationSchema, EXPECTATIONS).min(1, EXPECTATIONS),
  ),
});

export const expectationNames: readonly string[] = [...plainExpectations, conditional]
  .map(({ shape }) => shape.type.value)
  .sort();

export const expectationSchema: z.ZodType<CaseExpectation> = z.discriminatedUnion(
  'type',
  [...plainExpectations, conditional],
  `an expectation with type one of: ${expectationNames.join(LIST_SEPARATOR)}`,
);
