/** Every operation of a case with its arguments: what a file may say, and the type that programs get. */

import { z } from 'zod';
import { FALLBACK_FORM, parseFallback } from './fallbacks.js';
import { svmFlagNames } from './svmFlagNames.js';
import {
  byte,
  byteCount,
  count,
  DEVICE_NAME,
  device,
  dword,
  dwordIndex,
  flag,
  gpuPage,
  LIST_SEPARATOR,
  name,
  oneOf,
  pageCount,
  pattern,
  place,
  proc,
  signedBytes,
} from './values.js';

/** Of one operation without steps of its own. */
function op<const O extends string, S extends z.ZodRawShape>(operation: O, args: S) {
  const known = Object.keys(args).join(LIST_SEPARATOR) || 'no arguments';
  return z.strictObject(
    { op: z.literal(operation), args: z.strictObject(args, known), as: name.optional() },
    'op, args, as',
  );
}

/** The process whose call it is; within `repeat_processes` without it each process itself, elsewhere p0. */
const p = { proc: proc.optional() };
/** A span of a buffer, in pages; without `pages` to its end. */
const span = { ...p, buf: name, off: pageCount().default(0), pages: pageCount().optional() };
const onDevice = { ...p, dev: device };
const deviceSpan = { ...span, dev: device };
const gpuVa = { start: gpuPage, end: gpuPage, ...onSomeDevice() };
const prot = oneOf('none', 'r', 'rw');
const flags = z.array(oneOf(...svmFlagNames), 'a list of flags');
const fallback = z.string(FALLBACK_FORM).refine((said) => parseFallback(said) !== null, FALLBACK_FORM);

function onSomeDevice() {
  return { proc: proc.optional(), dev: device.optional() };
}

const processOps = [op('fork', { ...p, child: proc }), op('exit', p), op('kill', p)] as const;

const memoryOps = [
  op('mmap', {
    ...p,
    buf: name,
    pages: pageCount(),
    prot,
    share: oneOf('private', 'shared').default('private'),
    backing: oneOf('anon', 'file', 'hugetlb', 'device_file').default('anon'),
    file: name.optional(),
    align_pages: pageCount(1).optional(),
    at_off: pageCount().optional(),
    fixed: flag.optional(),
    locked: flag.optional(),
  }),
  op('munmap', span),
  op('mprotect', { ...span, prot }),
  op('mremap', {
    ...span,
    new_buf: name,
    to: z.union(
      [z.literal('fresh'), z.strictObject({ buf: name, off: pageCount() }, 'buf, off')],
      'fresh, or buf and off',
    ),
    dontunmap: flag.optional(),
  }),
  op('madvise', {
    ...span,
    advice: oneOf('hugepage', 'nohugepage', 'collapse', 'free', 'dontneed', 'dontfork'),
  }),
  op('mlock', span),
  op('munlock', span),
  op('munmap_all', p),
  op('pin_unpin', {
    ...span,
    mode: oneOf(
      'get_user_pages_write',
      'get_user_pages_fast_write',
      'get_user_pages_read',
      'get_user_pages_fast_read',
      'pin_fast_longterm_write',
      'pin_longterm_write',
      'pin_fast_longterm_read',
      'pin_longterm_read',
      'pin_write',
      'pin_read',
    ),
  }),
  op('uffd_register', { ...span, fill: pattern }),
  op('reclaim', { ...p, buf: name.optional(), off: pageCount().default(0), pages: pageCount().optional() }),
  op('pagemap_read', span),
  op('query_residency', span),
] as const;

const fileOps = [
  op('file_create', { ...p, file: name, pages: pageCount(1), pattern }),
  op('file_read', { ...p, file: name }),
] as const;

const cpuOps = [
  op('cpu_write', { ...span, pattern }),
  op('cpu_read', span),
  op('cpu_store32', { ...p, buf: name, dword: dwordIndex, value: dword }),
  op('cpu_load32', { ...p, buf: name, dword: dwordIndex }),
  op('cpu_add32', { ...p, buf: name, dword: dwordIndex, value: dword }),
  op('cpu_add', { ...span, value: dword }),
  op('cpu_store_bytes', { ...p, buf: name, start: byteCount(), stride: byteCount(1), value: byte }),
  op('read_bytes', { ...p, buf: name }),
  op('build_lists', { ...p, on: place, buf: name, lists: count(1), length: count(1) }),
  op('verify_lists', { ...p, on: place, buf: name, lists: count(1), length: count(1) }),
] as const;

const gpuOps = [
  op('gpu_read', { ...deviceSpan, allow_lock_drop: flag.optional() }),
  op('gpu_write', { ...deviceSpan, pattern }),
  op('gpu_copy', {
    ...onDevice,
    src: name,
    src_off: pageCount(),
    dst: name,
    dst_off: pageCount(),
    pages: pageCount(),
  }),
  op('gpu_copy32', { ...onDevice, src: name, src_dword: dwordIndex, dst: name, dst_dword: dwordIndex }),
  op('gpu_store32', { ...onDevice, buf: name, dword: dwordIndex, value: dword }),
  op('gpu_store32_run', { ...onDevice, buf: name, dword: dwordIndex, count: count(), value: dword }),
  op('gpu_add', { ...deviceSpan, value: dword }),
  op('gpu_xor', { ...deviceSpan, value: dword }),
  op('gpu_atomic_inc', { ...onDevice, buf: name, dword: dwordIndex, count: count() }),
  op('gpu_store_bytes', { ...onDevice, buf: name, start: byteCount(), stride: byteCount(1), value: byte }),
  op('gpu_prefetch_hint', { ...onDevice, addr: name, lanes: count(1) }),
  op('gpu_read_loop', {
    ...onDevice,
    readers: oneOf('one per buffer'),
    seconds: count(),
    on_stop_write: dword,
  }),
] as const;

const mirrorOps = [
  op('bind_mirror', { ...onDevice, kind: oneOf('private', 'coherent').optional() }),
  op('unbind_mirror', onDevice),
  op('bind_mirror_range', deviceSpan),
  op('bind_bo', deviceSpan),
  op('migrate_to_device', deviceSpan),
  op('migrate_to_sys', deviceSpan),
  op('evict_device', onDevice),
  op('exclusive', deviceSpan),
  op('check_exclusive', deviceSpan),
  op('snapshot', deviceSpan),
  op('inject_alloc_failure', { ...onDevice, count: count(1) }),
] as const;

const attributeOps = [
  op('prefetch', {
    ...p,
    dev: device.optional(),
    buf: name.optional(),
    off: pageCount().optional(),
    pages: pageCount().optional(),
    addr: byteCount().optional(),
    byte_off: signedBytes.optional(),
    bytes: byteCount().optional(),
    target: z
      .string('gpu0 to gpu99, sys, cpu, advised or invalid')
      .regex(
        new RegExp(`^(${DEVICE_NAME}|sys|cpu|advised|invalid)$`),
        'gpu0 to gpu99, sys, cpu, advised or invalid',
      ),
  }),
  op('advise_preferred_location', {
    ...deviceSpan,
    target: place,
    fallback: z.array(fallback, 'a list of texts').optional(),
  }),
  op('advise_atomic', { ...deviceSpan, mode: oneOf('device', 'global', 'cpu', 'undefined') }),
  op('advise_access', { ...deviceSpan, mode: oneOf('access', 'access_in_place') }),
  op('advise_granularity', { ...deviceSpan, order: count() }),
  op('advise', {
    ...span,
    advice: oneOf(
      'set_read_mostly',
      'unset_read_mostly',
      'set_preferred_location',
      'unset_preferred_location',
      'set_accessed_by',
      'unset_accessed_by',
    ),
    dev: place.optional(),
  }),
  op('get_attr', {
    ...span,
    attr: oneOf('read_mostly', 'preferred_location', 'accessed_by', 'last_prefetch_location'),
  }),
  op('svm_register', {
    ...deviceSpan,
    prefetch: place,
    preferred: place,
    flags,
    access: place,
    retry: count().optional(),
  }),
  op('svm_set_attr', {
    ...deviceSpan,
    attrs: z.strictObject(
      {
        prefetch_loc: place.optional(),
        preferred_loc: place.optional(),
        flags: flags.optional(),
        clear_flags: flags.optional(),
        granularity: count().optional(),
        access: place.optional(),
        access_in_place: place.optional(),
        no_access: place.optional(),
      },
      'prefetch_loc, preferred_loc, flags, clear_flags, granularity, access, access_in_place, no_access',
    ),
  }),
  op('svm_get_attr', {
    ...deviceSpan,
    attr: oneOf('prefetch_loc', 'preferred_loc', 'flags', 'access', 'granularity'),
  }),
  op('set_xnack', { ...p, enabled: flag }),
  op('create_queue', { ...onDevice, queue: name }),
  op('destroy_queue', { ...onDevice, queue: name }),
  op('migrate_hint', {
    ...p,
    dev: device.optional(),
    target: place.optional(),
    /** Buffer, first byte, bytes; 0 bytes mean the whole buffer. */
    ranges: z
      .array(z.tuple([name, byteCount(), byteCount()], 'a buffer, first byte and bytes'), 'a list of ranges')
      .optional(),
    bufs: z.array(name, 'a list of buffers').optional(),
    content: oneOf('undefined', 'defined').optional(),
  }),
  op('read_counter', { ...p, dev: device, counter: name }),
  op('alloc_and_register', { ...p, count: count(1), pages: pageCount(1).optional(), prefetch: place }),
] as const;

const gpuvmOps = [
  op('gpuvm_insert', { ...gpuVa, bo: name.nullable(), bo_off: pageCount() }),
  op('gpuvm_sm_map', { ...gpuVa, bo: name.nullable(), bo_off: pageCount() }),
  op('gpuvm_sm_unmap', gpuVa),
  op('gpuvm_madvise', gpuVa),
  op('gpuvm_bind_bo', { ...gpuVa, bo: name, bo_off: pageCount() }),
  op('gpuvm_bind_userptr', { ...gpuVa, buf: name, buf_page: pageCount() }),
  op('gpuvm_unbind', gpuVa),
  op('gpu_store_va', { ...onSomeDevice(), page: gpuPage, value: dword }),
  op('bo_load32', { ...onSomeDevice(), bo: name, page: pageCount() }),
  op('bo_fill', { ...onSomeDevice(), bo: name, off: pageCount(), pages: pageCount(), byte }),
] as const;

const flowOps = [op('barrier', p)] as const;

/** All operations without steps of their own. */
export const plainOps = [
  ...processOps,
  ...memoryOps,
  ...fileOps,
  ...cpuOps,
  ...gpuOps,
  ...mirrorOps,
  ...attributeOps,
  ...gpuvmOps,
  ...flowOps,
] as const;

export type PlainStep = z.infer<(typeof plainOps)[number]>;
export type PlainOp = PlainStep['op'];
/** The step of one operation. */
export type StepOf<O extends PlainOp> = Extract<PlainStep, { op: O }>;
/** The arguments of one operation. */
export type ArgsOf<O extends PlainOp> = StepOf<O>['args'];

/** Branches without an order between them. */
export interface ConcurrentStep {
  readonly op: 'concurrent';
  readonly args: { readonly branches: readonly (readonly Step[])[] };
  readonly as?: string | undefined;
}

/** One round after the other; `$i` in a name is the round, from 0. */
export interface RepeatStep {
  readonly op: 'repeat';
  readonly args: { readonly count: number; readonly steps: readonly Step[] };
  readonly as?: string | undefined;
}

/** As many processes at the same time, each with the same steps. */
export interface RepeatProcessesStep {
  readonly op: 'repeat_processes';
  readonly args: { readonly count: number; readonly steps: readonly Step[] };
  readonly as?: string | undefined;
}

export type BlockStep = ConcurrentStep | RepeatStep | RepeatProcessesStep;
export type Step = PlainStep | BlockStep;

const steps: z.ZodType<Step[]> = z.lazy(() => z.array(stepSchema, 'a list of steps'));

const blockOps = [
  op('concurrent', { branches: z.array(steps, 'a list of branches, each a list of steps') }),
  op('repeat', { count: count(), steps }),
  op('repeat_processes', { count: count(1), steps }),
] as const;

/** The names of all operations. */
export const opNames: readonly string[] = [...plainOps, ...blockOps]
  .map(({ shape }) => shape.op.value)
  .sort();

export const stepSchema: z.ZodType<Step> = z.discriminatedUnion(
  'op',
  [...plainOps, ...blockOps],
  `an operation with op one of: ${opNames.join(LIST_SEPARATOR)}`,
);
