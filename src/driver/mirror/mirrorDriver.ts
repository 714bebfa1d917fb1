/** The mirror driver: software devices that mirror whole address spaces, and the commands that a process gives them. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { FolioSplit } from '../../mm/huge/folioSplit.js';
import type { Kernel } from '../../mm/kernel.js';
import { MigrateDevice } from '../../mm/migrate/migrateDevice.js';
import { MigrateUnmap } from '../../mm/migrate/migrateUnmap.js';
import { MigrateVma } from '../../mm/migrate/migrateVma.js';
import { Hmm } from '../../mm/mirror/hmm.js';
import type { MmCalls } from '../../mm/mmCalls.js';
import { Rmap } from '../../mm/rmap/rmap.js';
import { STEP, type Steps } from '../../sim/steps.js';
import { MirrorAccess } from './mirrorAccess.js';
import type { MirrorContext } from './mirrorContext.js';
import { MirrorDevice } from './mirrorDevice.js';
import { MirrorEviction } from './mirrorEviction.js';
import { MirrorExclusive } from './mirrorExclusive.js';
import { MirrorFault } from './mirrorFault.js';
import { MirrorMigrate } from './mirrorMigrate.js';
import {
  type MirrorResult,
  mirrorResult,
  type PageSink,
  type PageSource,
  spanIsValid,
} from './mirrorResult.js';
import { MirrorSnapshot } from './mirrorSnapshot.js';
import { MirrorStep } from './mirrorStep.js';

/** @kernel HMM_DMIRROR_READ */
export const MirrorCommand = {
  Read: 0,
  Write: 1,
  MigrateToDevice: 2,
  MigrateToSystem: 3,
  Snapshot: 4,
  Exclusive: 5,
  CheckExclusive: 6,
  Release: 7,
  Flags: 8,
} as const;
export type MirrorCommand = (typeof MirrorCommand)[keyof typeof MirrorCommand];

export interface MirrorDriverConfig {
  /** Pages that a device adds to its memory at once. @kernel DEVMEM_CHUNK_SIZE */
  readonly chunkPages: number;
}

/** Runs where the mm runs; needs no actor for its devices. @kernel hmm_dmirror_init */
export class MirrorDriver {
  /** One per device-memory zone of the kernel, in their order. */
  readonly devices: readonly MirrorDevice[];
  readonly hmm: Hmm;
  readonly rmap: Rmap;
  /** The unmapping half of every migration by this driver. */
  readonly migrateUnmap: MigrateUnmap;
  readonly migrateVma: MigrateVma;
  readonly faults: MirrorFault;
  readonly migrate: MirrorMigrate;
  readonly exclusives: MirrorExclusive;
  private readonly access: MirrorAccess;
  private readonly snapshots: MirrorSnapshot;

  constructor(
    private readonly kernel: Kernel,
    calls: Pick<MmCalls, 'faults' | 'exit' | 'exclusive'>,
    config: MirrorDriverConfig,
  ) {
    this.rmap = new Rmap(kernel);
    this.migrateUnmap = new MigrateUnmap(kernel, this.rmap);
    this.migrateVma = new MigrateVma(kernel, this.migrateUnmap, this.rmap);
    this.hmm = new Hmm(kernel, calls.faults);
    this.faults = new MirrorFault(this.hmm, calls.exit);
    this.access = new MirrorAccess(this.faults);
    this.snapshots = new MirrorSnapshot(this.faults, calls.exit);
    this.migrate = new MirrorMigrate(this.migrateVma, this.access, calls.exit);
    this.exclusives = new MirrorExclusive(calls.exclusive, this.access, calls.exit);
    const migrateDevice = new MigrateDevice(kernel, this.migrateUnmap);
    const eviction = new MirrorEviction(kernel, migrateDevice, new FolioSplit(kernel, this.rmap));
    const zones = kernel.memory.layout.zones.filter((zone) => zone.deviceIndex >= 0);
    this.devices = zones.map(
      (zone) => new MirrorDevice(kernel, zone, config.chunkPages, this.migrate, eviction),
    );
  }

  /**
   * The device loads; with `mayDropLock` also what a handler in user space fills. Errors: -EINVAL (no span), -EFAULT (no area, no access, or a
   * page for such a handler where the lock may not be dropped; no memory), -EBUSY.
   */
  read(
    context: MirrorContext,
    start: Vpn,
    npages: number,
    sink: PageSink,
    mayDropLock = false,
  ): Steps<MirrorResult> {
    const run = (): Steps<MirrorResult> => this.access.read(context, start, npages, sink, mayDropLock);
    return this.command(MirrorCommand.Read, context, start, npages, run);
  }

  /** The device stores whole pages. Errors: those of `read`, -EPERM (the area is read-only); what came before the failing page is written. */
  write(context: MirrorContext, start: Vpn, npages: number, source: PageSource): Steps<MirrorResult> {
    const run = (): Steps<MirrorResult> => this.access.write(context, start, npages, source);
    return this.command(MirrorCommand.Write, context, start, npages, run);
  }

  /** See {@link MirrorMigrate.toDevice}. */
  migrateToDevice(context: MirrorContext, start: Vpn, npages: number, sink: PageSink): Steps<MirrorResult> {
    const run = (): Steps<MirrorResult> => this.migrate.toDevice(context, start, npages, sink);
    return this.command(MirrorCommand.MigrateToDevice, context, start, npages, run);
  }

  /** See {@link MirrorMigrate.toSystem}. */
  migrateToSystem(context: MirrorContext, start: Vpn, npages: number): Steps<MirrorResult> {
    const run = (): Steps<MirrorResult> => this.migrate.toSystem(context, start, npages);
    return this.command(MirrorCommand.MigrateToSystem, context, start, npages, run);
  }

  /** `prot` has a byte per page; see {@link MirrorSnapshot.snapshot}. */
  snapshot(context: MirrorContext, start: Vpn, npages: number, prot: Uint8Array): Steps<MirrorResult> {
    const run = (): Steps<MirrorResult> => this.snapshots.snapshot(context, start, npages, prot);
    return this.command(MirrorCommand.Snapshot, context, start, npages, run);
  }

  /** See {@link MirrorExclusive.exclusive}. */
  exclusive(context: MirrorContext, start: Vpn, npages: number, sink: PageSink): Steps<MirrorResult> {
    const run = (): Steps<MirrorResult> => this.exclusives.exclusive(context, start, npages, sink);
    return this.command(MirrorCommand.Exclusive, context, start, npages, run);
  }

  /** See {@link MirrorAccess.checkExclusive}. */
  checkExclusive(context: MirrorContext, start: Vpn, npages: number): Steps<MirrorResult> {
    const { access } = this;
    const run = function* (): Steps<MirrorResult> {
      return access.checkExclusive(context, start, npages);
    };
    return this.command(MirrorCommand.CheckExclusive, context, start, npages, run);
  }

  /** Sets the flags of the context, of `MirrorFlag`; so many allocations fail if they say so. @kernel HMM_DMIRROR_FLAGS */
  setFlags(context: MirrorContext, flags: number, failures = 1): void {
    context.setFlags(flags, failures);
  }

  /** Checks the arguments as the device file does, before any command of its own. @kernel dmirror_fops_unlocked_ioctl */
  private *command(
    which: MirrorCommand,
    context: MirrorContext,
    start: Vpn,
    npages: number,
    run: () => Steps<MirrorResult>,
  ): Steps<MirrorResult> {
    const { sched } = this.kernel;
    const { index } = context.device;
    if (sched.reach(MirrorStep.command, start, npages, which, index)) yield STEP;
    yield* sched.spend(this.kernel.costs.syscallNs);
    const result = spanIsValid(start, npages) ? yield* run() : mirrorResult(Errno.EINVAL);
    sched.at(MirrorStep.commandDone, start, result.errno, which, index);
    return result;
  }
}
