/** All bugs that can be put into the protocol, by their numbers. */

import { b001 } from './b001OrderBeyondTheRange.js';
import { b002 } from './b002ScanKeepsTheLock.js';
import { b003 } from './b003PagemapKnownTooLate.js';
import { b004 } from './b004EvictKeepsTheProcess.js';
import { b007 } from './b007UnwindWithoutFlag.js';
import { b009 } from './b009ReservationFreedInPart.js';
import { b010 } from './b010RemovedWhileMapped.js';
import { b011 } from './b011EndLeavesRangesMapped.js';
import { b012 } from './b012NotifierBeforePages.js';
import { b014 } from './b014ThresholdIsABoolean.js';
import { b015 } from './b015PagemapLeftOnTheStack.js';
import { b016 } from './b016PagesNotZeroed.js';
import { b018 } from './b018ExclusiveEnd.js';
import { b020 } from './b020HoleHasNoPage.js';
import { b021 } from './b021ErrorFollowed.js';
import { b022 } from './b022HoleEndsThePass.js';
import { b023 } from './b023ForeignPageIsAnError.js';
import { b024 } from './b024RetryDoesNotRefresh.js';
import { b025 } from './b025SpinStarvesTheHolder.js';
import { b026 } from './b026ReferenceBeforeLock.js';
import { b027 } from './b027OnlyFirstPageOfLeaf.js';
import { b029 } from './b029FreedBeforeReference.js';
import { b030 } from './b030FreedBeforeLock.js';
import { b033 } from './b033FolioOfSwapEntry.js';
import { b034 } from './b034PartOfLargeCollected.js';
import { b035 } from './b035OrderOfFormerFolio.js';
import { b036 } from './b036DevicesHangOnFolioLock.js';
import { b037 } from './b037FlushedTooLate.js';
import { b038 } from './b038DirtyBitIsLost.js';
import { b040 } from './b040DeviceIsNotHeld.js';
import { b041 } from './b041CopyBeforeFence.js';
import { b042 } from './b042MigrationsRace.js';
import { b043 } from './b043FolioUsedAfterPut.js';
import { b045 } from './b045EntriesForPages.js';
import { b046 } from './b046TailsUnlocked.js';
import { b047 } from './b047RawPfnsStay.js';
import { b048 } from './b048NeverLockedUnlocked.js';
import { b049 } from './b049ForgottenBeforeUnmap.js';
import { b052 } from './b052EvictionNeverEnds.js';
import { b054 } from './b054ArrayNotZeroed.js';
import { b056 } from './b056RefusalLeaksMemory.js';
import { b057 } from './b057NoHugePageKills.js';
import { b059 } from './b059PlacementNotValidated.js';
import { b060 } from './b060SmallestRangeStays.js';
import { b061 } from './b061ErrorForgotten.js';
import { b064 } from './b064BusyBecomesNoMemory.js';
import { b065 } from './b065UnwindLosesNeighbours.js';
import { b066 } from './b066WindowOverwritten.js';
import { b068 } from './b068PinIsNotLookedAt.js';
import { b070 } from './b070AdviceOutlivesMemory.js';
import { b071 } from './b071RemovalIsMissed.js';
import { b072 } from './b072CollapseWithoutNotifier.js';
import { b075 } from './b075AddressIn32Bits.js';
import { b077 } from './b077CopyErrorLeaksPage.js';
import { b078 } from './b078ExclusivePageStaysLocked.js';
import { b079 } from './b079OnlyFirstPieceMigrates.js';
import { b080 } from './b080PfnArrayTooShort.js';
import { b081 } from './b081SplitIsNotCounted.js';
import { b082 } from './b082UnmapOfOnePage.js';
import { b084 } from './b084EndIsStart.js';
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
import { b104 } from './b104OwnersTakeTurns.js';
import { b105 } from './b105OneDeviceNotTold.js';
import { b106 } from './b106ArrayReplacedUnlocked.js';
import { b107 } from './b107CallbackUnmapsFirstDevice.js';
import { b108 } from './b108CommitByAnother.js';
import { b109 } from './b109UnionMisread.js';
import { b110 } from './b110StaleOwner.js';
import { b111 } from './b111LastRunNotCopied.js';
import { b112 } from './b112EvictionWaitsForItself.js';
import { b113 } from './b113WriteBitIgnored.js';
import { b114 } from './b114FlagsWrittenBack.js';
import type { BugOverlay } from './bugOverlay.js';

/** In order of their numbers. */
export const allBugs: readonly BugOverlay[] = [
  b001,
  b002,
  b003,
  b004,
  b007,
  b009,
  b010,
  b011,
  b012,
  b014,
  b015,
  b016,
  b018,
  b020,
  b021,
  b022,
  b023,
  b024,
  b025,
  b026,
  b027,
  b029,
  b030,
  b033,
  b034,
  b035,
  b036,
  b037,
  b038,
  b040,
  b041,
  b042,
  b043,
  b045,
  b046,
  b047,
  b048,
  b049,
  b052,
  b054,
  b056,
  b057,
  b059,
  b060,
  b061,
  b064,
  b065,
  b066,
  b068,
  b070,
  b071,
  b072,
  b075,
  b077,
  b078,
  b079,
  b080,
  b081,
  b082,
  b084,
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
  b104,
  b105,
  b106,
  b107,
  b108,
  b109,
  b110,
  b111,
  b112,
  b113,
  b114,
];

export function findBug(id: string): BugOverlay | null {
  return allBugs.find((bug) => bug.id.toLowerCase() === id.toLowerCase()) ?? null;
}
