/** Builds random cases that give GPUs of the reference driver the commands of test devices among their own, and what each page must hold then. */

import type { Case } from '../../../src/case/caseSchema.js';
import type { CaseExpectation } from '../../../src/case/expectSchemas.js';
import type { PlainStep } from '../../../src/case/opSchemas.js';
import type { Move } from './randomSequences.js';

export const BUFFER_PAGES = 40;

interface Place {
  readonly buf: 'A';
  readonly off: number;
  readonly pages: number;
}

const everything: Place = { buf: 'A', off: 0, pages: BUFFER_PAGES };

class Sequence {
  readonly steps: PlainStep[] = [];
  readonly expect: CaseExpectation[] = [];
  readonly words: number[] = new Array<number>(BUFFER_PAGES).fill(0);

  /** A step that must succeed. */
  add(step: PlainStep): string {
    const as = `s${this.steps.length}`;
    this.steps.push({ ...step, as });
    this.expect.push({ type: 'ret', step: as, value: 0 });
    return as;
  }

  /** What a step has read of the span: of neighbours that are the same, one expectation. */
  reads(step: string, { off, pages }: Place): void {
    for (let i = 0; i < pages; ) {
      const word = this.words[off + i];
      let count = 1;
      while (i + count < pages && this.words[off + i + count] === word) count++;
      this.expect.push({ type: 'data', step, off: i, pages: count, equals: { p: 'const', v: word } });
      i += count;
    }
  }

  change({ off, pages }: Place, word: (old: number) => number): void {
    for (let i = off; i < off + pages; i++) this.words[i] = word(this.words[i]) >>> 0;
  }
}

type Act = (s: Sequence, dev: string, place: Place, choice: number) => void;

const pattern = (v: number) => ({ p: 'const', v }) as const;

const cpuWrite: Act = (s, _, place, v) => {
  s.add({ op: 'cpu_write', args: { ...place, pattern: pattern(v) } });
  s.change(place, () => v);
};

const cpuRead: Act = (s, _, place) => s.reads(s.add({ op: 'cpu_read', args: place }), place);

const gpuWrite: Act = (s, dev, place, v) => {
  const as = s.add({ op: 'gpu_write', args: { dev, ...place, pattern: pattern(v) } });
  s.expect.push({ type: 'cpages', step: as, value: place.pages });
  s.change(place, () => v);
};

const gpuRead: Act = (s, dev, place) => s.reads(s.add({ op: 'gpu_read', args: { dev, ...place } }), place);

const gpuAdd: Act = (s, dev, place, value) => {
  s.add({ op: 'gpu_add', args: { dev, ...place, value } });
  s.change(place, (old) => old + value);
};

const atomics: Act = (s, dev, { off }, count) => {
  // The whole page, so that it stays one word throughout.
  s.add({ op: 'gpu_atomic_inc', args: { dev, buf: 'A', dword: off * 1024, count } });
  s.add({ op: 'cpu_write', args: { buf: 'A', off, pages: 1, pattern: pattern(count) } });
  s.words[off] = count;
};

const toDevice: Act = (s, dev, place) =>
  s.reads(s.add({ op: 'migrate_to_device', args: { dev, ...place } }), place);

const toSystem: Act = (s, dev, place) => void s.add({ op: 'migrate_to_sys', args: { dev, ...place } });

/** Until somebody else touches a page the device is its only user. */
const exclusive: Act = (s, dev, place) => {
  const as = s.add({ op: 'exclusive', args: { dev, ...place } });
  s.reads(as, place);
  s.expect.push({ type: 'cpages', step: as, value: place.pages });
  const check = `s${s.steps.length}`;
  s.steps.push({ op: 'check_exclusive', args: { dev, ...place }, as: check });
  s.expect.push({ type: 'ret', step: check, value: '-EPERM' });
};

/** Nobody holds what the CPU has just read. */
const revoked: Act = (s, dev, place) => {
  cpuRead(s, dev, place, 0);
  s.add({ op: 'check_exclusive', args: { dev, ...place } });
};

const snapshot: Act = (s, dev, place) => void s.add({ op: 'snapshot', args: { dev, ...place } });

const advise: Act = (s, dev, place, choice) => {
  const target = choice % 2 === 0 ? dev : 'sys';
  s.add({ op: 'advise_preferred_location', args: { dev, ...place, target, fallback: [] } });
};

const prefetch: Act = (s, dev, place, choice) =>
  void s.add({ op: 'prefetch', args: { dev, ...place, target: choice % 2 === 0 ? dev : 'sys' } });

/** Coherent pages that a device holds exclusively cannot leave it, so the CPU takes them back before. */
const evict: Act = (s, dev) => {
  cpuRead(s, dev, everything, 0);
  s.add({ op: 'evict_device', args: { dev } });
};

/** What was there is gone. */
const replace: Act = (s, _, { off, pages }) => {
  const over = { buf: 'A', pages, at_off: off, fixed: true, prot: 'rw' } as const;
  s.add({ op: 'mmap', args: { ...over, share: 'private', backing: 'anon' } });
  s.change({ buf: 'A', off, pages }, () => 0);
};

const acts: readonly Act[] = [
  cpuWrite,
  cpuRead,
  gpuWrite,
  gpuRead,
  gpuAdd,
  atomics,
  toDevice,
  toSystem,
  exclusive,
  revoked,
  snapshot,
  advise,
  prefetch,
  evict,
  replace,
];

export const KINDS_OF_MOVES = acts.length;

/** Two devices, each with this kind of memory. */
export function mixedSequence(
  name: string,
  kinds: readonly ('private' | 'coherent')[],
  moves: readonly Move[],
): Case {
  const s = new Sequence();
  kinds.forEach((kind, i) => {
    s.add({ op: 'bind_mirror', args: { proc: 'p0', dev: `gpu${i}`, kind } });
  });
  const map = { buf: 'A', pages: BUFFER_PAGES, prot: 'rw', share: 'private', backing: 'anon' } as const;
  s.add({ op: 'mmap', args: map });
  for (const { kind, who, off, pages, choice } of moves) {
    const place = { buf: 'A', off, pages: Math.min(pages, BUFFER_PAGES - off) } as const;
    acts[kind](s, `gpu${who}`, place, 1 + choice);
  }
  gpuAdd(s, 'gpu0', everything, 1);
  cpuRead(s, 'gpu0', everything, 0);
  return {
    suite: 'random',
    name,
    needs: [],
    deterministic: true,
    steps: s.steps,
    expect: s.expect,
  };
}
