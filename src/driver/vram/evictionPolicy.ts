/** Eviction policies: what makes room when a device's memory is full. */

import type { VramResident } from './vramLru.js';

/** Asked until there is room, or nothing is left; must not change anything. */
export interface EvictionPolicy {
  readonly name: string;
  /** `candidates`: what could go, the least recently used first; `npages` are wanted. Null: nothing of it shall go. */
  victim(candidates: Iterable<VramResident>, npages: number): VramResident | null;
}

/** @kernel ttm_bo_evict_alloc */
export const leastRecentlyUsed: EvictionPolicy = {
  name: 'lru',
  victim(candidates) {
    for (const candidate of candidates) return candidate;
    return null;
  },
};
