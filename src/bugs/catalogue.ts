/** All bugs that can be put into the protocol, by their numbers. */

import { b023 } from './b023ForeignPageIsAnError.js';
import { b024 } from './b024RetryDoesNotRefresh.js';
import { b025 } from './b025SpinStarvesTheHolder.js';
import { b027 } from './b027OnlyFirstPageOfLeaf.js';
import { b061 } from './b061ErrorForgotten.js';
import { b072 } from './b072CollapseWithoutNotifier.js';
import { b086 } from './b086CloseWaitsForWorker.js';
import { b088 } from './b088EvictionTakesMmapLock.js';
import { b090 } from './b090PageCountedFreeTwice.js';
import { b091 } from './b091CallbackTakesSvmLock.js';
import { b093 } from './b093ListReadUnlocked.js';
import { b094 } from './b094VmAcquiredTwice.js';
import { b096 } from './b096EvictionByAddress.js';
import { b097 } from './b097ReferenceTakenTwice.js';
import { b098 } from './b098ZombieIsFound.js';
import { b099 } from './b099DeferredNotDrained.js';
import { b100 } from './b100FreedBeforeUnmapped.js';
import { b101 } from './b101WindowWraps.js';
import { b102 } from './b102EmptyRangeAccepted.js';
import { b103 } from './b103CopyLeaks.js';
import { b107 } from './b107CallbackUnmapsFirstDevice.js';
import { b112 } from './b112EvictionWaitsForItself.js';
import type { BugOverlay } from './bugOverlay.js';

/** In order of their numbers. */
export const allBugs: readonly BugOverlay[] = [
  b023,
  b024,
  b025,
  b027,
  b061,
  b072,
  b086,
  b088,
  b090,
  b091,
  b093,
  b094,
  b096,
  b097,
  b098,
  b099,
  b100,
  b101,
  b102,
  b103,
  b107,
  b112,
];

export function findBug(id: string): BugOverlay | null {
  return allBugs.find((bug) => bug.id.toLowerCase() === id.toLowerCase()) ?? null;
}
