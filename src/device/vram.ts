/** One device's video memory: allocations in whole pages, named so that the host can give them back. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { BuddyAllocator } from '../memory/buddyAllocator.js';
import { type Pfn, pfn } from '../memory/pfn.js';
import type { Zone } from '../memory/zone.js';
import type { VramAllocationId } from './gpuPort.js';

function allocationId(number: number): VramAllocationId {
  return number as VramAllocationId;
}

/** Owned by the device. Contents of fresh pages are what the last user left: whoever allocates must write before anyone reads. */
export class Vram {
  /** Failure injection: asked once per allocation; true makes it return -ENOMEM. */
  shouldFail: (() => boolean) | null = null;
  allocations = 0;
  releases = 0;
  /** Allocations that returned -ENOMEM, whether injected or genuine. */
  failures = 0;
  private readonly buddy: BuddyAllocator;
  private nextId = 1;
  /** Per allocation its stretches of frames: first pfn and length, alternating. */
  private readonly runs = new Map<VramAllocationId, Uint32Array>();

  constructor(readonly zone: Zone) {
    assert(zone.deviceIndex >= 0, 'VRAM over the RAM zone');
    this.buddy = new BuddyAllocator(zone.firstPfn, zone.pages);
  }

  /** One past the last frame that was ever handed out; 0 for none. */
  get touchedEnd(): number {
    return this.buddy.touchedEnd;
  }

  get usedPages(): number {
    return this.buddy.usedPages;
  }

  get freePages(): number {
    return this.buddy.freePages;
  }

  get liveAllocations(): number {
    return this.runs.size;
  }

  isFree(page: Pfn): boolean {
    return this.buddy.isFree(page);
  }

  /**
   * Writes the pfns of `npages` pages to `out`, in as few and as large blocks as there are. All or nothing:
   * -ENOMEM. @kernel drm_gem_object, ttm_bo
   */
  alloc(npages: number, out: Uint32Array): VramAllocationId | Errno {
    assert(npages > 0 && npages <= out.length, () => `VRAM allocation of ${npages} pages`);
    const errno = this.shouldFail?.() ? Errno.ENOMEM : this.buddy.allocPages(npages, out, 0);
    if (errno !== Errno.OK) {
      this.failures++;
      return errno;
    }
    const id = allocationId(this.nextId++);
    this.runs.set(id, runsOf(out, npages));
    this.allocations++;
    return id;
  }

  /** An allocation that does not exist is asserted against. */
  release(id: VramAllocationId): void {
    const runs = this.runs.get(id);
    assert(runs !== undefined, () => `VRAM allocation ${id} of ${this.zone.name} does not exist`);
    this.runs.delete(id);
    for (let at = 0; at < runs.length; at += 2) this.buddy.freeRun(runs[at], runs[at + 1]);
    this.releases++;
  }

  /** Each stretch of frames of each live allocation. */
  forEachRun(visit: (id: VramAllocationId, first: Pfn, npages: number) => void): void {
    for (const [id, runs] of this.runs) {
      for (let at = 0; at < runs.length; at += 2) visit(id, pfn(runs[at]), runs[at + 1]);
    }
  }
}

/** Stretches of consecutive frames in a list of them: first and length, alternating. */
function runsOf(pfns: Uint32Array, npages: number): Uint32Array {
  const runs: number[] = [];
  let first = 0;
  for (let at = 1; at <= npages; at++) {
    if (at < npages && pfns[at] === pfns[at - 1] + 1) continue;
    runs.push(pfns[first], at - first);
    first = at;
  }
  return new Uint32Array(runs);
}
