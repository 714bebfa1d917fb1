/** Shared arrays of one word per page, in which the Coordinator hands lists of pages to a device without copying them into messages. */

import { assert } from '../base/assert.js';
import type { Brand } from '../base/brand.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import { WaitQueue } from '../sim/waitQueue.js';
import { BufferViews } from './bufferViews.js';

/** The largest range that one request covers: 2 MiB. */
export const PAGE_ARRAY_PAGES = 512;

/** Names an array in messages. */
export type PageArrayId = Brand<number, 'PageArrayId'>;

/** The memory itself, which every actor may map; an array belongs to whoever handles the request that names it. */
export class PageArrays {
  private readonly words: Uint32Array;
  readonly count: number;
  private readonly views: (Uint32Array | undefined)[] = [];

  constructor(readonly buffer: SharedArrayBuffer) {
    this.words = BufferViews.of(buffer).uint32s;
    this.count = this.words.length / PAGE_ARRAY_PAGES;
  }

  static allocate(count: number): PageArrays {
    return new PageArrays(new SharedArrayBuffer(count * PAGE_ARRAY_PAGES * 4));
  }

  view(id: PageArrayId): Uint32Array {
    assert(id >= 0 && id < this.count, () => `page array ${id} does not exist`);
    let view = this.views[id];
    if (view === undefined) {
      view = this.words.subarray(id * PAGE_ARRAY_PAGES, (id + 1) * PAGE_ARRAY_PAGES);
      this.views[id] = view;
    }
    return view;
  }
}

/** Lends arrays to tasks of the Coordinator; a task that finds none waits for one. */
export class PageArrayPool {
  private readonly free: PageArrayId[] = [];
  private readonly available: WaitQueue;

  constructor(
    sched: Scheduler,
    readonly arrays: PageArrays,
  ) {
    for (let id = arrays.count - 1; id >= 0; id--) this.free.push(id as PageArrayId);
    this.available = new WaitQueue(sched, 'a free page array');
  }

  get lent(): number {
    return this.arrays.count - this.free.length;
  }

  /** An array if one is free, which {@link borrow} would give without waiting; null otherwise. */
  tryBorrow(): PageArrayId | null {
    return this.free.length < 1 ? null : this.take();
  }

  /** The array's contents are undefined. */
  *borrow(): Steps<PageArrayId> {
    while (this.free.length < 1) yield* this.available.wait();
    return this.take();
  }

  /** Two at once, so that no two tasks hold one each and wait for the other's. */
  *borrowPair(): Steps<readonly [PageArrayId, PageArrayId]> {
    while (this.free.length < 2) yield* this.available.wait();
    return [this.take(), this.take()];
  }

  private take(): PageArrayId {
    const id = this.free.pop();
    assert(id !== undefined, 'no page array is free');
    return id;
  }

  giveBack(id: PageArrayId): void {
    assert(this.free.length < this.arrays.count, () => `page array ${id} is given back twice`);
    this.free.push(id);
    this.available.wakeAll();
  }
}
