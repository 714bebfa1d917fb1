/** The commands of a test device that need no memory of its own: those that only look, and exclusive access. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import type { Kernel } from '../../mm/kernel.js';
import type { MmCalls } from '../../mm/mmCalls.js';
import { STEP, type Steps } from '../../sim/steps.js';
import type { MirrorAccess } from './mirrorAccess.js';
import { MirrorCommand } from './mirrorCommand.js';
import { MirrorExclusive } from './mirrorExclusive.js';
import type { MirrorFault } from './mirrorFault.js';
import { type MirrorResult, mirrorResult, type PageSink, spanIsValid } from './mirrorResult.js';
import { MirrorSnapshot } from './mirrorSnapshot.js';
import { MirrorStep } from './mirrorStep.js';
import type { MirrorView } from './mirrorView.js';

export class ViewCommands {
  readonly exclusives: MirrorExclusive;
  private readonly snapshots: MirrorSnapshot;

  constructor(
    private readonly kernel: Kernel,
    private readonly access: MirrorAccess,
    faults: MirrorFault,
    { exclusive, exit }: Pick<MmCalls, 'exclusive' | 'exit'>,
  ) {
    this.snapshots = new MirrorSnapshot(faults, exit);
    this.exclusives = new MirrorExclusive(exclusive, access, exit);
  }

  /** `prot` has a byte per page; see {@link MirrorSnapshot.snapshot}. */
  snapshot(view: MirrorView, start: Vpn, npages: number, prot: Uint8Array): Steps<MirrorResult> {
    const run = (): Steps<MirrorResult> => this.snapshots.snapshot(view, start, npages, prot);
    return this.run(MirrorCommand.Snapshot, view, start, npages, run);
  }

  /** See {@link MirrorExclusive.exclusive}. */
  exclusive(view: MirrorView, start: Vpn, npages: number, sink: PageSink): Steps<MirrorResult> {
    const run = (): Steps<MirrorResult> => this.exclusives.exclusive(view, start, npages, sink);
    return this.run(MirrorCommand.Exclusive, view, start, npages, run);
  }

  /** See {@link MirrorAccess.checkExclusive}. */
  checkExclusive(view: MirrorView, start: Vpn, npages: number): Steps<MirrorResult> {
    const { access } = this;
    const run = function* (): Steps<MirrorResult> {
      return access.checkExclusive(view, start, npages);
    };
    return this.run(MirrorCommand.CheckExclusive, view, start, npages, run);
  }

  /** Any command: checks the arguments as the device file does, before anything else. @kernel dmirror_fops_unlocked_ioctl */
  *run(
    which: MirrorCommand,
    { device }: MirrorView,
    start: Vpn,
    npages: number,
    command: () => Steps<MirrorResult>,
  ): Steps<MirrorResult> {
    const { sched, costs } = this.kernel;
    const { index } = device;
    if (sched.reach(MirrorStep.command, start, npages, which, index)) yield STEP;
    yield* sched.spend(costs.syscallNs);
    const result = spanIsValid(start, npages) ? yield* command() : mirrorResult(Errno.EINVAL);
    sched.at(MirrorStep.commandDone, start, result.errno, which, index);
    return result;
  }
}
