/** All bugs that can be put into the protocol, by their numbers. */

import { b023 } from './b023ForeignPageIsAnError.js';
import { b024 } from './b024RetryDoesNotRefresh.js';
import { b025 } from './b025SpinStarvesTheHolder.js';
import { b027 } from './b027OnlyFirstPageOfLeaf.js';
import { b061 } from './b061ErrorForgotten.js';
import { b072 } from './b072CollapseWithoutNotifier.js';
import { b107 } from './b107CallbackUnmapsFirstDevice.js';
import { b112 } from './b112EvictionWaitsForItself.js';
import type { BugOverlay } from './bugOverlay.js';

/** In order of their numbers. */
export const allBugs: readonly BugOverlay[] = [b023, b024, b025, b027, b061, b072, b107, b112];

export function findBug(id: string): BugOverlay | null {
  return allBugs.find((bug) => bug.id.toLowerCase() === id.toLowerCase()) ?? null;
}
