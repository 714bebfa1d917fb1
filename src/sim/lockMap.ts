/** What is no lock but waited for like one, so that it has its place in the order of locks: a fence, a piece of work, memory that is freed. */

import { assert } from '../base/assert.js';
import { LockClass } from './lockOrder.js';

/** One per kind of thing, as with classes; a task is inside it while others may wait for what it does. @kernel lockdep_map */
export class LockMap {
  private static readonly all: LockMap[] = [];
  static readonly MAX = 31;
  readonly lockClass: LockClass;
  /** In the word of a task that says what it is inside of. */
  readonly bit: number;

  constructor(name: string, options: { readonly nests?: boolean } = {}) {
    this.lockClass = new LockClass(name, options);
    assert(LockMap.all.length < LockMap.MAX, 'too many lock maps');
    this.bit = 1 << LockMap.all.length;
    LockMap.all.push(this);
  }

  /** That of the lowest of the bits, of which there is one. */
  static lowest(bits: number): LockMap {
    return LockMap.all[31 - Math.clz32(bits & -bits)];
  }
}
