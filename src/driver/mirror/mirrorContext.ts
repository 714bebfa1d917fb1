/** What opening a mirror device gives a process: a view of its address space, with what the device does beyond looking. */

import type { NotifierRange } from '../../mm/mirror/mmuNotifier.js';
import type { MigrationWatch } from './migrationWatch.js';
import type { MirrorDevice } from './mirrorDevice.js';
import { MirrorView } from './mirrorView.js';

/** What a process may ask of the device beyond its commands, as bits. */
export const MirrorFlag = {
  /** The next allocation, of device or of system memory, fails; once. @kernel HMM_DMIRROR_FLAG_FAIL_ALLOC */
  FailAlloc: 1,
} as const;

/** Pages of the device carry its number, to find the context that brought them there. @kernel dmirror */
export class MirrorContext extends MirrorView<MirrorDevice> {
  /** Of `MirrorFlag`. */
  private flags = 0;
  /** How many allocations still fail while the flag asks for it. */
  private failuresLeft = 0;
  /** Pages of the device that it brought there and that are still in use; those of a large folio one by one. */
  pagesInUse = 0;
  /** Migrations under way to the device. Guarded by the mutex where they are marked. */
  readonly migrations = new Set<MigrationWatch>();

  /** What was set before no longer counts. The device of the kernel lets one allocation fail; cases may ask for more. */
  setFlags(flags: number, failures: number): void {
    this.flags = flags;
    this.failuresLeft = failures;
  }

  /** Whether this allocation must fail; after the last one that must, the flag is gone. */
  takeFailure(): boolean {
    if ((this.flags & MirrorFlag.FailAlloc) === 0) return false;
    this.failuresLeft--;
    if (this.failuresLeft <= 0) this.flags &= ~MirrorFlag.FailAlloc;
    return true;
  }

  protected override entriesGone({ start, end }: NotifierRange): void {
    const { self } = this.device.kernel.sched;
    for (const migration of this.migrations) migration.note(start, end, self);
  }
}
