/** The parts of the reference driver that a user may replace, each by itself. */

import type { PlacementPolicy } from './placement.js';
import type { PrefetchPolicy } from './prefetchPolicy.js';
import type { InvalidationMaker } from './svmVm.js';
import type { EvictionPolicy } from './vram/evictionPolicy.js';

/** What is left out is the driver's own. */
export interface Policies {
  /** Where pages go of which the program itself has said nothing. */
  readonly placement?: PlacementPolicy;
  /** What leaves a device's memory when it is full. */
  readonly eviction?: EvictionPolicy;
  /** How a mirror's translations go when memory changes; what it makes belongs to that mirror alone. */
  readonly invalidation?: InvalidationMaker;
  /** What devices are given before they ask. */
  readonly prefetch?: PrefetchPolicy;
}
