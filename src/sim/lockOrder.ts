/** Learns the order in which lock classes nest and refuses the first acquisition that could close a cycle. */

import { assert } from '../base/assert.js';

/** Locks with the same class obey the same order; one class per kind of lock, not per instance. */
export class LockClass {
  private static count = 0;
  static readonly MAX = 64;
  readonly id: number;
  /** Locks of the class may be held together; whoever takes several sees to it that nobody waits for ever. @kernel ww_class */
  readonly nests: boolean;
  constructor(
    readonly name: string,
    { nests = false }: { readonly nests?: boolean } = {},
  ) {
    this.nests = nests;
    this.id = LockClass.count++;
    assert(this.id < LockClass.MAX, 'too many lock classes');
  }
}

/** Of 32 classes each. */
const WORDS = LockClass.MAX / 32;

/** @kernel lockdep */
export class LockOrder {
  /** By class that was held: a bit for each class that was acquired under it, 32 to a word. */
  private readonly follows = new Int32Array(LockClass.MAX * WORDS);
  /** 1 for a class that another one was acquired under. */
  private readonly leads = new Uint8Array(LockClass.MAX);
  private readonly classes: (LockClass | undefined)[] = [];
  /** A bit for each class that a search for a path has come to. */
  private readonly seen = new Int32Array(WORDS);

  /** To be called before waiting for `next` while `held` is held. */
  acquire(held: LockClass, next: LockClass): void {
    if (held === next && held.nests) return;
    if (this.hasEdge(held.id, next.id)) return;
    this.classes[held.id] = held;
    this.classes[next.id] = next;
    assert(held !== next, () => `lock order: ${next.name} taken while another ${held.name} is held`);
    const back = this.leads[next.id] === 0 ? null : this.search(next.id, held.id);
    assert(back === null, () => {
      const names = (back ?? []).map((id) => this.classes[id]?.name ?? '?');
      return `lock order: ${next.name} taken under ${held.name}, but elsewhere ${names.join(' is held when taking ')}`;
    });
    this.follows[held.id * WORDS + (next.id >>> 5)] |= 1 << (next.id & 31);
    this.leads[held.id] = 1;
  }

  private hasEdge(held: number, next: number): boolean {
    return (this.follows[held * WORDS + (next >>> 5)] & (1 << (next & 31))) !== 0;
  }

  /** The class ids from `from` to `to` along known edges, or null. */
  private search(from: number, to: number): number[] | null {
    this.seen.fill(0);
    return this.path(from, to);
  }

  private path(from: number, to: number): number[] | null {
    if (from === to) return [to];
    const { follows, seen } = this;
    seen[from >>> 5] |= 1 << (from & 31);
    for (let word = 0; word < WORDS; word++) {
      for (;;) {
        const open = follows[from * WORDS + word] & ~seen[word];
        if (open === 0) break;
        const rest = this.path(word * 32 + (31 - Math.clz32(open & -open)), to);
        if (rest !== null) return [from, ...rest];
      }
    }
    return null;
  }
}
