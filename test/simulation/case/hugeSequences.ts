/** Builds random cases with huge pages on both sides of migrations, and what each page must hold in them, from a model without any sharing. */

import type { Case } from '../../../src/case/caseSchema.js';
import type { CaseExpectation } from '../../../src/case/expectSchemas.js';
import type { PlainStep } from '../../../src/case/opSchemas.js';
import type { Move } from './randomSequences.js';

/** Of the one buffer: two huge pages, which begin where one may begin. */
export const BUFFER_PAGES = 2 * 512;
const PROCESSES_MAX = 3;

type Prot = 'none' | 'r' | 'rw';

interface ModelPage {
  readonly prot: Prot;
  /** Null where the model cannot know: a device may have stored to a part of what it was asked to. */
  readonly content: number | null;
}

/** A page of the buffer; null where nothing is mapped. */
type Model = (ModelPage | null)[];

interface Span {
  readonly off: number;
  readonly pages: number;
}

class Sequence {
  readonly steps: PlainStep[] = [];
  readonly expect: CaseExpectation[] = [];
  readonly models = new Map<string, Model>();
  /** Processes that share pages, or did: stores of devices may end in the middle there. */
  readonly forked = new Set<string>();
  private labels = 0;
  private nextProcess = 1;

  constructor(kinds: readonly ('private' | 'coherent')[]) {
    this.models.set('p0', new Array<ModelPage | null>(BUFFER_PAGES).fill({ prot: 'rw', content: 0 }));
    kinds.forEach((kind, i) => {
      this.steps.push({ op: 'bind_mirror', args: { proc: 'p0', dev: `gpu${i}`, kind } });
    });
    const map = { proc: 'p0', buf: 'A', pages: BUFFER_PAGES, prot: 'rw', align_pages: 512 } as const;
    this.steps.push({ op: 'mmap', args: { ...map, share: 'private', backing: 'anon' } });
    this.steps.push({
      op: 'madvise',
      args: { proc: 'p0', buf: 'A', ...this.everything, advice: 'hugepage' },
    });
  }

  readonly everything: Span = { off: 0, pages: BUFFER_PAGES };

  /** Adds a step that must succeed. */
  sure(step: PlainStep): string {
    const as = this.label(step);
    this.expect.push({ type: 'ret', step: as, value: 0 });
    return as;
  }

  label(step: PlainStep): string {
    const as = `s${this.labels++}`;
    this.steps.push({ ...step, as });
    return as;
  }

  model(proc: string): Model {
    return this.models.get(proc) ?? [];
  }

  set(proc: string, { off, pages }: Span, page: (old: ModelPage | null) => ModelPage | null): void {
    const model = this.model(proc);
    for (let i = off; i < off + pages; i++) model[i] = page(model[i]);
  }

  /** What a read of the span must give, where the model knows: of neighbours that are the same, one expectation. */
  data(proc: string, as: string, { off, pages }: Span): CaseExpectation[] {
    const model = this.model(proc);
    const found: CaseExpectation[] = [];
    for (let i = 0; i < pages; ) {
      const content = model[off + i]?.content ?? null;
      let count = 1;
      while (i + count < pages && (model[off + i + count]?.content ?? null) === content) count++;
      const equals = { p: 'const', v: content ?? 0 } as const;
      if (content !== null) found.push({ type: 'data', step: as, off: i, pages: count, equals });
      i += count;
    }
    return found;
  }

  /** The first run of pages at or after `off` that `fits`, at most as long as asked. */
  run(proc: string, { off, pages }: Span, fits: (page: ModelPage) => boolean): Span | null {
    const model = this.model(proc);
    const isFit = (i: number): boolean => {
      const page = model[i];
      return page !== null && page !== undefined && fits(page);
    };
    let start = off;
    while (start < BUFFER_PAGES && !isFit(start)) start++;
    if (start === BUFFER_PAGES) return null;
    let end = start;
    while (end < Math.min(BUFFER_PAGES, start + pages) && isFit(end)) end++;
    return { off: start, pages: end - start };
  }

  fork(of: string): void {
    if (this.models.size === PROCESSES_MAX) return;
    const child = `c${this.nextProcess++}`;
    this.sure({ op: 'fork', args: { proc: of, child } });
    this.models.set(child, [...this.model(of)]);
    this.forked.add(of).add(child);
    this.sure({ op: 'bind_mirror', args: { proc: child, dev: 'gpu0' } });
  }

  exit(proc: string): void {
    if (proc === 'p0') return;
    this.sure({ op: 'exit', args: { proc } });
    this.models.delete(proc);
  }
}

type Act = (s: Sequence, proc: string, span: Span, move: Move) => void;

const mayRead = ({ prot }: ModelPage): boolean => prot !== 'none';
const mayWrite = ({ prot }: ModelPage): boolean => prot === 'rw';
const isMapped = (): boolean => true;
const deviceOf = (proc: string, choice: number): string => (proc === 'p0' ? `gpu${choice % 2}` : 'gpu0');
/** 0 among them, so that pages of zeros and pages without content meet. */
const wordOf = (choice: number): number => choice % 5;

const cpuRead: Act = (s, proc, asked) => {
  const span = s.run(proc, asked, mayRead);
  if (span === null) return;
  const as = s.sure({ op: 'cpu_read', args: { proc, buf: 'A', ...span } });
  s.expect.push(...s.data(proc, as, span));
};

const cpuWrite: Act = (s, proc, asked, { choice }) => {
  const span = s.run(proc, asked, mayWrite);
  if (span === null) return;
  const content = wordOf(choice);
  s.sure({ op: 'cpu_write', args: { proc, buf: 'A', ...span, pattern: { p: 'const', v: content } } });
  s.set(proc, span, () => ({ prot: 'rw', content }));
};

const gpuRead: Act = (s, proc, asked, { choice }) => {
  const span = s.run(proc, asked, mayRead);
  if (span === null) return;
  const as = s.sure({ op: 'gpu_read', args: { proc, dev: deviceOf(proc, choice), buf: 'A', ...span } });
  s.expect.push(...s.data(proc, as, span));
};

const gpuWrite: Act = (s, proc, asked, { choice }) => {
  const span = s.run(proc, asked, mayWrite);
  if (span === null) return;
  const v = wordOf(choice);
  const isSure = !s.forked.has(proc);
  const args = { proc, dev: deviceOf(proc, choice), buf: 'A', ...span, pattern: { p: 'const', v } } as const;
  const step: PlainStep = { op: 'gpu_write', args };
  if (isSure) s.sure(step);
  else s.label(step);
  s.set(proc, span, () => ({ prot: 'rw', content: isSure ? v : null }));
};

const toDevice: Act = (s, proc, span, { choice }) => {
  const args = { proc, dev: deviceOf(proc, choice), buf: 'A', ...span };
  const as = s.label({ op: 'migrate_to_device', args });
  // biome-ignore lint/suspicious/noThenProperty: the key of the file format
  s.expect.push({ type: 'if_ret_zero', step: as, then: s.data(proc, as, span) });
};

const toSystem: Act = (s, proc, span, { choice }) => {
  s.label({ op: 'migrate_to_sys', args: { proc, dev: deviceOf(proc, choice), buf: 'A', ...span } });
};

const protect: Act = (s, proc, asked, { choice }) => {
  const span = s.run(proc, asked, isMapped);
  if (span === null) return;
  const prots: readonly Prot[] = ['none', 'r', 'rw', 'rw'];
  const prot = prots[choice % prots.length];
  s.sure({ op: 'mprotect', args: { proc, buf: 'A', ...span, prot } });
  s.set(proc, span, (old) => (old === null ? null : { ...old, prot }));
};

const discard: Act = (s, proc, asked) => {
  const span = s.run(proc, asked, isMapped);
  if (span === null) return;
  s.sure({ op: 'madvise', args: { proc, buf: 'A', ...span, advice: 'dontneed' } });
  s.set(proc, span, (old) => (old === null ? null : { ...old, content: 0 }));
};

const advise: Act = (s, proc, asked, { choice }) => {
  const span = s.run(proc, asked, isMapped);
  if (span === null) return;
  const advice = (['hugepage', 'collapse', 'nohugepage', 'hugepage'] as const)[choice % 4];
  s.label({ op: 'madvise', args: { proc, buf: 'A', ...span, advice } });
};

/** Over whatever is there, so that the span is one area, or part of one, afterwards. */
const mapAnew: Act = (s, proc, span) => {
  const where = { proc, buf: 'A', at_off: span.off, pages: span.pages, fixed: true } as const;
  s.sure({ op: 'mmap', args: { ...where, prot: 'rw', share: 'private', backing: 'anon' } });
  s.sure({ op: 'madvise', args: { proc, buf: 'A', ...span, advice: 'hugepage' } });
  s.set(proc, span, () => ({ prot: 'rw', content: 0 }));
};

/** One huge page, filled and brought to a device as a whole. */
const refill: Act = (s, proc, { off }, raw) => {
  const whole = { off: off - (off % 512), pages: 512 };
  mapAnew(s, proc, whole, raw);
  cpuWrite(s, proc, whole, raw);
  cpuWrite(
    s,
    proc,
    { off: whole.off + ((raw.choice * 37) % 512), pages: 512 },
    { ...raw, choice: raw.choice + 1 },
  );
  toDevice(s, proc, whole, raw);
};

/** Of an area that has just been filled and migrated, to another place in the buffer, at whatever distance. */
const move: Act = (s, proc, span, raw) => {
  const { off, pages } = span;
  const to = raw.choice % 2 === 0 ? off + pages : off - pages - (raw.choice % 7);
  if (to < 0 || to + pages > BUFFER_PAGES) return;
  mapAnew(s, proc, span, raw);
  cpuWrite(s, proc, span, raw);
  toDevice(s, proc, span, raw);
  const dontunmap = raw.choice % 3 === 0;
  const target = { buf: 'A', off: to };
  s.sure({
    op: 'mremap',
    args: { proc, buf: 'A', ...span, new_buf: `X${s.steps.length}`, to: target, dontunmap },
  });
  const model = s.model(proc);
  for (let i = 0; i < pages; i++) {
    model[to + i] = model[off + i];
    model[off + i] = dontunmap ? { prot: 'rw', content: 0 } : null;
  }
};

const acts: readonly Act[] = [
  cpuRead,
  cpuRead,
  cpuWrite,
  cpuWrite,
  gpuRead,
  gpuWrite,
  toDevice,
  toDevice,
  refill,
  refill,
  refill,
  toSystem,
  protect,
  discard,
  advise,
  mapAnew,
  move,
  (s, proc, span) => {
    s.sure({ op: 'munmap', args: { proc, buf: 'A', ...span } });
    s.set(proc, span, () => null);
  },
  (s, proc) => s.fork(proc),
  (s, proc) => s.exit(proc),
  (s, _, __, { choice }) => s.sure({ op: 'evict_device', args: { dev: `gpu${choice % 2}` } }),
  (s, proc, span, { choice }) =>
    s.label({ op: 'exclusive', args: { proc, dev: deviceOf(proc, choice), buf: 'A', ...span } }),
  (s, proc, span, { choice }) =>
    s.label({ op: 'snapshot', args: { proc, dev: deviceOf(proc, choice), buf: 'A', ...span } }),
];

export const KINDS_OF_MOVES = acts.length;

/** Ends with a look at every page of every process. */
export function hugeSequence(name: string, coherent: boolean, moves: readonly Move[]): Case {
  const s = new Sequence(['private', coherent ? 'coherent' : 'private']);
  for (const move of moves) {
    const procs = [...s.models.keys()];
    const off = move.off % BUFFER_PAGES;
    const span = { off, pages: Math.min(move.pages, BUFFER_PAGES - off) };
    acts[move.kind % acts.length](s, procs[move.who % procs.length], span, move);
  }
  for (const proc of s.models.keys()) {
    let span = s.run(proc, s.everything, mayRead);
    while (span !== null) {
      cpuRead(s, proc, span, { kind: 0, who: 0, off: 0, pages: 0, choice: 0 });
      span = s.run(proc, { off: span.off + span.pages, pages: BUFFER_PAGES }, mayRead);
    }
  }
  const source = { repo: 'none', path: 'none' };
  return {
    suite: 'huge-sequences',
    name,
    source,
    needs: [],
    deterministic: true,
    steps: s.steps,
    expect: s.expect,
  };
}
