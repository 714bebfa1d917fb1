/** Freeing memory as a thing that allocations wait for: it may invalidate, so nothing that callbacks take may be held where memory is allocated. */

import { LockMap } from '../sim/lockMap.js';

/** @kernel __fs_reclaim_map */
export const reclaimMap = new LockMap('fs_reclaim');
