/** Large folios of which some pages are mapped no more: they are split when memory is short, and what nobody maps of them is free then. */

import { FolioFlag } from '../../memory/folios.js';
import type { Pfn } from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { Kernel } from '../kernel.js';
import type { FolioSplit } from './folioSplit.js';

export const DeferredSplitStep = {
  queued: defineStep('deferredSplit.queued', 'pfn'),
  scan: defineStep('deferredSplit.scan', 'count'),
} as const;

export class DeferredSplit {
  /** By head. A folio that is freed stays until the next scan, which finds that it is another one or none. @kernel deferred_split_queue */
  private readonly queue = new Set<Pfn>();

  constructor(
    private readonly kernel: Kernel,
    private readonly folioSplit: FolioSplit,
  ) {
    const add = (head: Pfn): void => this.add(head);
    const scan = (): Steps<boolean> => this.scan();
    kernel.folios.partialMappingListener = add;
    kernel.makeRoom = scan;
  }

  /** Folios that wait. */
  get size(): number {
    return this.queue.size;
  }

  /** @kernel deferred_split_folio */
  private add(head: Pfn): void {
    if (this.kernel.memory.layout.zoneOf(head).kind !== ZoneKind.System) return;
    this.queue.add(head);
    this.kernel.sched.at(DeferredSplitStep.queued, head);
  }

  /**
   * Splits what waits, as far as nobody holds or has locked it; the others wait on. Whether memory was freed. mmap_lock may be held for read or
   * not at all; no folio is locked. @kernel deferred_split_scan
   */
  *scan(): Steps<boolean> {
    if (this.queue.size === 0) return false;
    const before = this.kernel.ram.freePages;
    const waiting = [...this.queue];
    this.queue.clear();
    if (this.kernel.sched.reach(DeferredSplitStep.scan, waiting.length)) yield STEP;
    for (const head of waiting) if (this.isWaiting(head)) yield* this.splitOne(head);
    return this.kernel.ram.freePages > before;
  }

  private isWaiting(head: Pfn): boolean {
    const { folios } = this.kernel;
    return (
      folios.refcount(head) > 0 &&
      folios.headOf(head) === head &&
      folios.testFlag(head, FolioFlag.PartiallyMapped)
    );
  }

  private *splitOne(head: Pfn): Steps<void> {
    const { folios, folioLocks } = this.kernel;
    folios.get(head);
    if (!folioLocks.trylock(head)) {
      this.queue.add(head);
      folios.put(head);
      return;
    }
    yield* this.folioSplit.split(head);
    if (folios.isLarge(head)) this.queue.add(head);
    folioLocks.unlock(head);
    folios.put(head);
  }
}
