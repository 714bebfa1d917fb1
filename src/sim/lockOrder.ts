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

  /** To be called before waiting for `next` while `held` is held. */
  acquire(held: LockClass, next: LockClass): void {
    if (held === next && held.nests) return;
    if (this.hasEdge(held.id, next.id)) return;
    this.classes[held.id] = held;
    this.classes[next.id] = next;
    assert(held !== next, () => `lock order: ${next.name} taken while another ${held.name} is held`);
    const back = this.leads[next.id] === 0 ? null : this.path(next.id, held.id, new Set());
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
  private path(from: number, to: number, seen: Set<number>): number[] | null {
    if (from === to) return [to];
    seen.add(from);
    for (let next = 0; next < LockClass.MAX; next++) {
      if (!this.hasEdge(from, next) || seen.has(next)) continue;
      const rest = this.path(next, to, seen);
      if (rest !== null) return [from, ...rest];
    }
    return null;
  }
}
