/** Random sequences of memory operations for a recorder: what is carried out is random, what comes of it is not known. */

import type { Case } from '../../src/case/caseSchema.js';
import type { Step } from '../../src/case/opSchemas.js';
import { Random } from '../../src/sim/random.js';

/** What a sequence is made of. */
export interface Mixture {
  readonly pages: readonly number[];
  /** Files, and mappings over others. */
  readonly mixesMappings: boolean;
  /** Locked memory, MADV_FREE and looks at /proc/self/pagemap as well. */
  readonly isWide: boolean;
  /** Rare operations are as frequent as others. */
  readonly isFlat: boolean;
  readonly memory: 'private' | 'coherent';
  readonly hugePages: boolean;
  /** Of memory that is no file's. */
  readonly backing: 'anon' | 'hugetlb';
  /** Never drawn. */
  readonly leavesOut: readonly Choice[];
  /** Drawn beside what all mixtures draw. */
  readonly adds: Frequencies;
}

const SMALL = [4, 6, 8, 12, 16, 32];
/** More than the pieces of 64 pages that the driver works in. */
const SEVERAL_PIECES = [4, 8, 12, 32, 70, 130];
const PLAIN: Mixture = {
  pages: SMALL,
  mixesMappings: false,
  isWide: false,
  isFlat: false,
  memory: 'private',
  hugePages: false,
  backing: 'anon',
  leavesOut: [],
  adds: [],
};
const WIDE: Mixture = { ...PLAIN, pages: SEVERAL_PIECES, mixesMappings: true, isWide: true };

export const MIXTURES = {
  anon: PLAIN,
  mixed: { ...PLAIN, mixesMappings: true },
  wide: WIDE,
  rare: { ...WIDE, isFlat: true },
  coherent: { ...WIDE, memory: 'coherent' },
  large: { ...WIDE, pages: [512, 520, 600, 1024, 1100] },
  huge: { ...PLAIN, pages: [512, 600, 1024, 1024], hugePages: true },
  hugetlb: {
    ...PLAIN,
    pages: [512, 1024, 1024],
    isWide: true,
    backing: 'hugetlb',
    adds: [
      ['pagemap', 40],
      ['lock', 10],
    ],
  },
  pins: { ...WIDE, pages: SMALL, adds: [['pin', 120]] },
  // Not with pins: of sequences with both one in fifty or so hangs the kernel.
  swap: {
    ...PLAIN,
    isWide: true,
    adds: [
      ['reclaim', 60],
      ['pagemap', 60],
      ['lock', 20],
    ],
  },
  // What a process gives up or has swapped out while a relative has it too.
  kin: {
    ...PLAIN,
    pages: SMALL,
    isWide: true,
    adds: [
      ['fork', 80],
      ['madvise', 120],
      ['reclaim', 100],
      ['pagemap', 100],
      ['lock', 20],
      ['munmap', 30],
    ],
  },
  // Of both migrate_vma of 6.12 would treat huge pages in another way than newer ones.
  hugeSwap: {
    ...PLAIN,
    pages: [512, 600, 1024],
    hugePages: true,
    isWide: true,
    leavesOut: ['toDevice', 'toSystem'],
    adds: [
      ['reclaim', 60],
      ['pagemap', 60],
      ['lock', 10],
    ],
  },
  hugeUserfault: {
    ...PLAIN,
    pages: [512, 600, 1024],
    hugePages: true,
    isWide: true,
    leavesOut: ['gpuRead', 'gpuWrite', 'toDevice', 'toSystem'],
    adds: [
      ['userfault', 60],
      ['pagemap', 40],
      ['lock', 10],
      ['pin', 40],
    ],
  },
  // Newer kernels than 6.12 let a device wait for the handler.
  userfault: {
    ...WIDE,
    pages: SMALL,
    leavesOut: ['gpuRead', 'gpuWrite'],
    adds: [
      ['userfault', 80],
      ['pin', 40],
      ['pagemap', 20],
      ['lock', 10],
    ],
  },
} as const satisfies Readonly<Record<string, Mixture>>;
export type MixtureName = keyof typeof MIXTURES;

/** How often an operation is drawn, where not all are drawn alike. */
const FREQUENCIES = [
  ['cpuRead', 150],
  ['cpuWrite', 110],
  ['gpuRead', 120],
  ['gpuWrite', 130],
  ['toDevice', 150],
  ['toSystem', 40],
  ['snapshot', 70],
  ['mprotect', 70],
  ['munmap', 30],
  ['madvise', 30],
  ['fork', 20],
  ['mremap', 15],
  ['exclusive', 15],
  ['checkExclusive', 8],
  ['evict', 8],
  ['fileRead', 20],
  ['mapOver', 40],
  ['lock', 10],
  ['pagemap', 10],
] as const;
type Choice = (typeof FREQUENCIES)[number][0] | 'pin' | 'reclaim' | 'userfault';
type Frequencies = readonly (readonly [Choice, number])[];

const PIN_MODES = [
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
] as const;
/** Of missing pages: every byte is the same. */
const FILL = { p: 'const', v: 0x07070707 } as const;
const PROTECTIONS = ['rw', 'rw', 'rw', 'r', 'none'] as const;
const STEPS_MIN = 8;
const STEPS_SPREAD = 23;
const BUFFERS_MAX = 14;
const FILE = 'F';

/** The same for the same seed. */
export function randomCase(name: MixtureName, seed: number): Case {
  const sequence = new Sequence(MIXTURES[name], new Random(seed));
  return {
    suite: 'recorded',
    name: `${name}-${seed}`,
    needs: [],
    deterministic: true,
    steps: sequence.make(seed),
    expect: [],
  };
}

interface Process {
  readonly name: 'p0' | 'c0';
  readonly devices: Set<string>;
  /** Buffers with their sizes in pages. */
  readonly buffers: Map<string, number>;
}

class Sequence {
  private readonly steps: Step[] = [];
  private readonly parent: Process = { name: 'p0', devices: new Set(), buffers: new Map() };
  private child: Process | null = null;
  private childHasRun = false;
  private named = 0;
  private value = 0;
  private readonly pages: number;
  private readonly devices: readonly string[];
  private readonly kinds = new Map<string, 'private' | 'coherent'>();

  constructor(
    private readonly mixture: Mixture,
    private readonly random: Random,
  ) {
    this.pages = this.pick(mixture.pages);
    this.devices = this.oneIn(3) ? ['gpu0'] : ['gpu0', 'gpu1'];
  }

  make(seed: number): Step[] {
    this.value = 1000 + (seed % 100_000) * 100;
    this.begin();
    const count = STEPS_MIN + this.random.below(STEPS_SPREAD);
    for (let i = 0; i < count; i++) this.next();
    this.look();
    return this.steps;
  }

  private begin(): void {
    const { memory, mixesMappings, hugePages } = this.mixture;
    for (const device of this.devices) {
      const isOther = memory === 'coherent' && device === 'gpu1' && this.oneIn(3);
      this.kinds.set(device, isOther ? 'private' : memory);
      this.bind(this.parent, device);
    }
    if (mixesMappings)
      this.steps.push({
        op: 'file_create',
        args: { file: FILE, pages: this.pages, pattern: { p: 'const', v: this.value++ } },
      });
    const { backing } = this.mixture;
    this.map(backing);
    if (backing === 'hugetlb' && this.oneIn(2)) this.map(this.pick(['anon', backing]));
    if (mixesMappings) this.map('file');
    if (mixesMappings && this.oneIn(4)) this.map('file');
    if (hugePages && !this.oneIn(4)) {
      const args = { proc: 'p0', buf: 'A', off: 0, pages: this.pages, advice: 'hugepage' } as const;
      this.steps.push({ op: 'madvise', args });
    }
  }

  private bind(process: Process, device: string): void {
    const args = { proc: process.name, dev: device, kind: this.kinds.get(device) };
    this.steps.push({ op: 'bind_mirror', args });
    process.devices.add(device);
  }

  private map(backing: 'anon' | 'hugetlb' | 'file'): void {
    const { hugePages } = this.mixture;
    const buf = this.newBuffer();
    const args = {
      proc: 'p0',
      buf,
      pages: this.pages,
      prot: hugePages ? 'rw' : this.pick(PROTECTIONS),
      share: hugePages ? 'private' : this.sharing(),
      backing,
      ...(backing === 'file' ? { file: FILE } : {}),
      ...(this.mixture.isWide && this.oneIn(8) ? { locked: true } : {}),
    } as const;
    this.steps.push({ op: 'mmap', args });
    this.parent.buffers.set(buf, this.pages);
  }

  private sharing(): 'private' | 'shared' {
    return this.oneIn(this.mixture.mixesMappings ? 3 : 9) ? 'shared' : 'private';
  }

  /** One step, or none where what was drawn is not possible now. */
  private next(): void {
    const process = this.child !== null && this.oneIn(3) ? this.child : this.parent;
    const buffers = [...process.buffers];
    if (buffers.length === 0) return;
    const [buf, size] = this.pick(buffers);
    const span = { proc: process.name, buf, ...this.part(size) };
    const devices = [...process.devices];
    const choice = this.choose();
    if (devices.length > 0) this.deviceStep(choice, { ...span, dev: this.pick(devices) });
    this.memoryStep(choice, span, process);
    this.otherStep(choice);
  }

  private choose(): Choice {
    const { adds, leavesOut } = this.mixture;
    const choices = [...FREQUENCIES, ...adds].filter(([choice]) => !leavesOut.includes(choice));
    if (this.mixture.isFlat) return this.pick(choices)[0];
    const total = choices.reduce((sum, [, frequency]) => sum + frequency, 0);
    let left = this.random.below(total);
    for (const [choice, frequency] of choices) {
      left -= frequency;
      if (left < 0) return choice;
    }
    return 'cpuRead';
  }

  /** All of it, one page, or anything; where pages are huge often what they are made of. */
  private part(size: number): { off: number; pages: number } {
    const off = this.random.below(size);
    if (this.mixture.backing === 'hugetlb' && !this.oneIn(4)) {
      const from = this.pick([0, 0, Math.max(0, size - 512)]);
      return { off: from, pages: Math.min(size - from, this.pick([512, 512, size])) };
    }
    if (this.mixture.hugePages && this.oneIn(2)) {
      const from = this.pick([0, Math.min(512, size - 1), off]);
      return { off: from, pages: Math.min(size - from, this.pick([1, 64, 300, 512, 512])) };
    }
    if (this.oneIn(4)) return { off: 0, pages: size };
    return { off, pages: this.oneIn(3) ? 1 : 1 + this.random.below(size - off) };
  }

  private deviceStep(choice: Choice, args: DeviceSpan): void {
    if (choice === 'gpuRead') this.steps.push({ op: 'gpu_read', args });
    if (choice === 'gpuWrite') this.steps.push({ op: 'gpu_write', args: { ...args, ...this.newValue() } });
    if (choice === 'toDevice') this.steps.push({ op: 'migrate_to_device', args });
    if (choice === 'toSystem') this.steps.push({ op: 'migrate_to_sys', args });
    if (choice === 'snapshot') this.steps.push({ op: 'snapshot', args });
    if (choice === 'exclusive') this.steps.push({ op: 'exclusive', args });
    if (choice === 'checkExclusive') this.steps.push({ op: 'check_exclusive', args });
  }

  private memoryStep(choice: Choice, args: Span, process: Process): void {
    const { mixesMappings, isWide } = this.mixture;
    if (choice === 'cpuRead') this.steps.push({ op: 'cpu_read', args });
    if (choice === 'cpuWrite') this.steps.push({ op: 'cpu_write', args: { ...args, ...this.newValue() } });
    if (choice === 'munmap') this.steps.push({ op: 'munmap', args });
    if (choice === 'mprotect')
      this.steps.push({ op: 'mprotect', args: { ...args, prot: this.pick(PROTECTIONS) } });
    if (choice === 'madvise') this.steps.push({ op: 'madvise', args: { ...args, advice: this.advice() } });
    if (choice === 'mremap' && this.named < BUFFERS_MAX) this.move(args, process);
    if (choice === 'mapOver' && mixesMappings) this.mapOver(args);
    if (choice === 'pagemap' && isWide) this.steps.push({ op: 'pagemap_read', args: { ...args, pages: 1 } });
    if (choice === 'pin') this.steps.push({ op: 'pin_unpin', args: { ...args, mode: this.pick(PIN_MODES) } });
    if (choice === 'userfault') this.steps.push({ op: 'uffd_register', args: { ...args, fill: FILL } });
    if (choice === 'reclaim') this.steps.push({ op: 'reclaim', args });
    if (choice === 'lock' && isWide) this.steps.push({ op: this.pick(['mlock', 'munlock']), args });
  }

  private otherStep(choice: Choice): void {
    if (choice === 'fork') this.forkOrExit();
    if (choice === 'evict') this.steps.push({ op: 'evict_device', args: { dev: this.pick(this.devices) } });
    if (choice === 'fileRead' && this.mixture.mixesMappings)
      this.steps.push({ op: 'file_read', args: { file: FILE } });
  }

  private advice(): 'dontneed' | 'free' | 'hugepage' | 'nohugepage' | 'collapse' {
    if (this.mixture.hugePages) return this.pick(['dontneed', 'hugepage', 'nohugepage', 'collapse', 'free']);
    return this.mixture.isWide && this.oneIn(3) ? 'free' : 'dontneed';
  }

  private move(args: Span, process: Process): void {
    const buf = this.newBuffer();
    const mayKeep = this.mixture.mixesMappings && this.oneIn(4);
    this.steps.push({
      op: 'mremap',
      args: { ...args, new_buf: buf, to: 'fresh', ...(mayKeep ? { dontunmap: true } : {}) },
    });
    process.buffers.set(buf, args.pages);
  }

  private mapOver({ proc, buf, off, pages }: Span): void {
    const place = { proc, buf, at_off: off, pages, prot: this.pick(PROTECTIONS), share: this.sharing() };
    const args = this.oneIn(3)
      ? ({ ...place, backing: 'file', file: FILE, fixed: true } as const)
      : ({ ...place, backing: 'anon', fixed: true } as const);
    this.steps.push({ op: 'mmap', args });
  }

  private forkOrExit(): void {
    if (!this.childHasRun) {
      this.childHasRun = true;
      this.child = { name: 'c0', devices: new Set(), buffers: new Map(this.parent.buffers) };
      this.steps.push({ op: 'fork', args: { proc: 'p0', child: 'c0' } });
      if (this.oneIn(2)) this.bind(this.child, this.pick(this.devices));
    } else if (this.child !== null && this.oneIn(3)) {
      this.child = null;
      this.steps.push({ op: 'exit', args: { proc: 'c0' } });
    }
  }

  /** At the end everything is looked at, first without changing it. */
  private look(): void {
    if (this.mixture.mixesMappings) this.steps.push({ op: 'file_read', args: { file: FILE } });
    for (const process of this.child === null ? [this.parent] : [this.parent, this.child]) {
      const [device] = process.devices;
      for (const [buf, pages] of process.buffers) {
        const span = { proc: process.name, buf, off: 0, pages };
        if (device !== undefined) this.steps.push({ op: 'snapshot', args: { ...span, dev: device } });
        this.steps.push({ op: 'cpu_read', args: span });
      }
    }
  }

  private newValue(): { pattern: { p: 'const'; v: number } } {
    return { pattern: { p: 'const', v: this.value++ } };
  }

  /** A, B and so on; the file has the letter F. */
  private newBuffer(): string {
    const at = this.named < 5 ? this.named : this.named + 1;
    this.named++;
    return String.fromCharCode('A'.charCodeAt(0) + at);
  }

  private oneIn(n: number): boolean {
    return this.random.below(n) === 0;
  }

  private pick<T>(from: readonly T[]): T {
    return from[this.random.below(from.length)];
  }
}

interface Span {
  readonly proc: string;
  readonly buf: string;
  readonly off: number;
  readonly pages: number;
}

interface DeviceSpan extends Span {
  readonly dev: string;
}
