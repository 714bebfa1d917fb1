/** What recorder.c printed, and cases that expect exactly that. */

import type { Case } from '../../src/case/caseSchema.js';
import type { Step } from '../../src/case/opSchemas.js';
import type { Pattern } from '../../src/case/values.js';

/** What one step gave. A word of `data` is a value of all dwords of its page, or `x` where the CPU must not access it. */
export interface StepResult {
  readonly ret: number;
  readonly cpages?: number;
  readonly faults?: number;
  readonly data?: readonly string[];
  readonly prot?: readonly number[];
  /** Of one page: present, swapped out, soft-dirty. */
  readonly pagemap?: readonly boolean[];
}

type Expectation = Case['expect'][number];

const ERRNO_NAMES: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  11: 'EAGAIN',
  12: 'ENOMEM',
  14: 'EFAULT',
  16: 'EBUSY',
  22: 'EINVAL',
};

/** Steps whose result only says that they did not fail. */
const QUIET: ReadonlySet<string> = new Set([
  'mmap',
  'munmap',
  'mprotect',
  'madvise',
  'mremap',
  'mlock',
  'munlock',
  'reclaim',
  'unbind_mirror',
  'uffd_register',
]);
/** Steps that only look. */
const UNTOLD: ReadonlySet<string> = new Set(['file_read', 'pagemap_read']);
/** Steps that the rest of a case needs. */
const MUST_SUCCEED: ReadonlySet<string> = new Set([
  'bind_mirror',
  'file_create',
  'fork',
  'exit',
  'evict_device',
]);

/** What the recorder is told that a case is called: no two of a file share it. */
export function recordingName({ suite, name, variant = '' }: Case): string {
  return JSON.stringify([suite, name, variant]);
}

/** By {@link recordingName} of the case and number of the step. @throws Error when the recorder did not come to its end. */
export function parseRecordings(text: string): Map<string, (StepResult | undefined)[]> {
  const recordings = new Map<string, (StepResult | undefined)[]>();
  let current: (StepResult | undefined)[] = [];
  let ended = false;
  for (const line of text.split(/\r?\n/)) {
    if (line === 'end') ended = true;
    else if (line.startsWith('case ')) {
      current = [];
      recordings.set(line.slice('case '.length), current);
    } else if (/^\d/.test(line)) {
      const [step, ...words] = line.trim().split(/\s+/);
      current[Number(step)] = parseResult(words);
    }
  }
  if (!ended) {
    const last = [...recordings.keys()].at(-1) ?? 'none';
    throw new Error(`the machine stopped before it came to the end; the last case that it began is ${last}`);
  }
  return recordings;
}

/** Undefined for what the recorder could not carry out. */
function parseResult(words: readonly string[]): StepResult | undefined {
  if (words[0] !== 'ret') return undefined;
  const after = (key: string): number => words.indexOf(key) + 1;
  const data = after('data');
  const prot = after('prot');
  const pagemap = after('pagemap');
  return {
    ret: Number(words[1]),
    ...(after('cpages') > 0 ? { cpages: Number(words[after('cpages')]) } : {}),
    ...(after('faults') > 0 ? { faults: Number(words[after('faults')]) } : {}),
    ...(data > 0 ? { data: words.slice(data) } : {}),
    ...(prot > 0 ? { prot: words.slice(prot).map(Number) } : {}),
    ...(pagemap > 0 ? { pagemap: words.slice(pagemap).map((word) => word === '1') } : {}),
  };
}

/**
 * The case with what was recorded as its expectations. CPU accesses are kept where they were allowed, and steps on a buffer go whose making
 * failed. Null for a case of which something is missing.
 */
export function recordedCase(one: Case, results: readonly (StepResult | undefined)[]): Case | null {
  const merged = new Merged();
  for (const [i, step] of one.steps.entries()) {
    const result = results[i];
    if (result === undefined || (MUST_SUCCEED.has(step.op) && result.ret !== 0)) return null;
    if (result.data?.includes('?') === true) return null;
    merged.add(step, result);
  }
  return { ...one, steps: merged.steps, expect: merged.expect };
}

class Merged {
  readonly steps: Step[] = [];
  readonly expect: Expectation[] = [];
  /** Buffers that are not there, by process. */
  private readonly missing = new Map<string, Set<string>>();

  add(step: Step, result: StepResult): void {
    if (step.op === 'fork') this.missing.set('c0', new Set(this.missingIn('p0')));
    const missing = this.missingIn('proc' in step.args ? (step.args.proc ?? 'p0') : 'p0');
    const isMissing = 'buf' in step.args && step.args.buf !== undefined && missing.has(step.args.buf);
    if (step.op === 'mremap' && (isMissing || result.ret !== 0)) missing.add(step.args.new_buf);
    if (step.op === 'mmap' && result.ret !== 0) missing.add(step.args.buf);
    if (isMissing) return;
    if (step.op === 'cpu_read') this.addReads(step, result.data ?? []);
    else if (step.op === 'cpu_write') this.addWrites(step, result.data ?? []);
    else if (MUST_SUCCEED.has(step.op)) this.steps.push(step);
    else this.addResult(step, result);
  }

  private missingIn(process: string): Set<string> {
    const found = this.missing.get(process) ?? new Set<string>();
    this.missing.set(process, found);
    return found;
  }

  private addReads(step: Extract<Step, { op: 'cpu_read' }>, data: readonly string[]): void {
    for (const { first, count } of allowedRuns(data)) {
      const args = { ...step.args, off: step.args.off + first, pages: count };
      this.expectData(this.label({ ...step, args }), data.slice(first, first + count));
    }
  }

  private addWrites(step: Extract<Step, { op: 'cpu_write' }>, data: readonly string[]): void {
    for (const { first, count } of allowedRuns(data))
      this.steps.push({ ...step, args: { ...step.args, off: step.args.off + first, pages: count } });
  }

  private addResult(step: Step, { ret, cpages, faults, data, prot, pagemap }: StepResult): void {
    const as = this.label(step);
    if (!UNTOLD.has(step.op) && (ret !== 0 || !QUIET.has(step.op)))
      this.expect.push({ type: 'ret', step: as, value: this.returned(step, ret) });
    if (ret !== 0) return;
    if (cpages !== undefined && step.op !== 'check_exclusive')
      this.expect.push({ type: 'cpages', step: as, value: cpages });
    if (faults !== undefined && (step.op === 'gpu_read' || step.op === 'gpu_write'))
      this.expect.push({ type: 'faults', step: as, value: faults });
    if (data !== undefined) this.expectData(as, data);
    if (prot !== undefined) this.expectProtection(as, prot);
    if (pagemap === undefined) return;
    const [present, swap, soft_dirty] = pagemap;
    this.expect.push({ type: 'pagemap', step: as, present, swap, soft_dirty });
  }

  /** Why pages cannot be had is not told. */
  private returned(step: Step, ret: number): string | number {
    return step.op === 'pin_unpin' && ret !== 0 ? 'nonzero' : errnoName(ret);
  }

  private label(step: Step): string {
    const as = `s${this.steps.length}`;
    this.steps.push({ ...step, as });
    return as;
  }

  private expectData(step: string, data: readonly string[]): void {
    for (const { first, count, value } of runsOf(data)) {
      const equals: Pattern = value === '0' ? { p: 'zero' } : { p: 'const', v: Number(value) };
      this.expect.push({ type: 'data', step, off: first, pages: count, equals });
    }
  }

  private expectProtection(step: string, prot: readonly number[]): void {
    const pages = runsOf(prot).map((run) => ({ ...run, names: protectionNames(run.value) }));
    this.expect.push({ type: 'prot', step, pages });
  }
}

function errnoName(ret: number): string | number {
  return ret === 0 ? 0 : `-${ERRNO_NAMES[-ret] ?? String(-ret)}`;
}

/** Pages that the CPU was allowed to access, by what lies together. */
function allowedRuns(data: readonly string[]): { first: number; count: number }[] {
  return runsOf(data.map((word) => word !== 'x')).filter(({ value }) => value);
}

/** Neighbours that are equal, as one. */
function runsOf<T>(values: readonly T[]): { first: number; count: number; value: T }[] {
  const runs: { first: number; count: number; value: T }[] = [];
  for (const [first, value] of values.entries()) {
    const last = runs.at(-1);
    if (last !== undefined && last.value === value) last.count++;
    else runs.push({ first, count: 1, value });
  }
  return runs;
}

const ERROR = 0xff;
/** Where the page is: one of them, or none for ordinary memory. @kernel HMM_DMIRROR_PROT_ZERO */
const PLACES: Readonly<Record<number, string>> = {
  16: 'ZERO',
  32: 'DEV_PRIVATE_LOCAL',
  48: 'DEV_PRIVATE_REMOTE',
  64: 'DEV_COHERENT_LOCAL',
  80: 'DEV_COHERENT_REMOTE',
};
const PLACE_MASK = 0x70;
/** @kernel HMM_DMIRROR_PROT_READ */
const RIGHTS = [
  { bit: 4, name: 'PMD' },
  { bit: 1, name: 'READ' },
  { bit: 2, name: 'WRITE' },
];

function protectionNames(value: number): string[] {
  if (value === ERROR) return ['ERROR'];
  if (value === 0) return ['NONE'];
  const place = PLACES[value & PLACE_MASK];
  const rights = RIGHTS.filter(({ bit }) => (value & bit) !== 0).map(({ name }) => name);
  return place === undefined ? rights : [place, ...rights];
}
