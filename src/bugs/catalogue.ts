/** All bugs that can be put into the protocol, by their numbers. */

import { b061 } from './b061ErrorForgotten.js';
import { b107 } from './b107CallbackUnmapsFirstDevice.js';
import { b112 } from './b112EvictionWaitsForItself.js';
import type { BugOverlay } from './bugOverlay.js';

/** In order of their numbers. */
export const allBugs: readonly BugOverlay[] = [b061, b107, b112];

export function findBug(id: string): BugOverlay | null {
  return allBugs.find((bug) => bug.id.toLowerCase() === id.toLowerCase()) ?? null;
}
