/** The mirror driver: software devices that mirror whole address spaces, and the commands that a process gives them. */

import type { Vpn } from '../../base/units.js';
import { FolioSplit } from '../../mm/huge/folioSplit.js';
import type { Kernel } from '../../mm/kernel.js';
import { MigrateDevice } from '../../mm/migrate/migrateDevice.js';
import { MigrateUnmap } from '../../mm/migrate/migrateUnmap.js';
import { MigrateVma } from '../../mm/migrate/migrateVma.js';
import { Hmm } from '../../mm/mirror/hmm.js';
import type { MmCalls } from '../../mm/mmCalls.js';
import { Rmap } from '../../mm/rmap/rmap.js';
import type { Steps } from '../../sim/steps.js';
import { MirrorAccess } from './mirrorAccess.js';
import { MirrorCommand } from './mirrorCommand.js';
import type { MirrorContext } from './mirrorContext.js';
import { MirrorDevice } from './mirrorDevice.js';
import { MirrorEviction } from './mirrorEviction.js';
import { MirrorFault } from './mirrorFault.js';
import { MirrorMigrate } from './mirrorMigrate.js';
import type { MirrorResult, PageSink, PageSource } from './mirrorResult.js';
import { ViewCommands } from './viewCommands.js';

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
  /** Those of its commands that need no memory of the device. */
  readonly views: ViewCommands;
  private readonly access: MirrorAccess;

  constructor(
    kernel: Kernel,
    calls: Pick<MmCalls, 'faults' | 'exit' | 'exclusive'>,
    config: MirrorDriverConfig,
  ) {
    this.rmap = new Rmap(kernel);
    this.migrateUnmap = new MigrateUnmap(kernel, this.rmap);
    this.migrateVma = new MigrateVma(kernel, this.migrateUnmap, this.rmap);
    this.hmm = new Hmm(kernel, calls.faults);
    this.faults = new MirrorFault(this.hmm, calls.exit);
    this.access = new MirrorAccess(this.faults);
    this.migrate = new MirrorMigrate(this.migrateVma, this.access, calls.exit);
    this.views = new ViewCommands(kernel, this.access, this.faults, calls);
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
    return this.views.run(MirrorCommand.Read, context, start, npages, run);
  }

  /** The device stores whole pages. Errors: those of `read`, -EPERM (the area is read-only); what came before the failing page is written. */
  write(context: MirrorContext, start: Vpn, npages: number, source: PageSource): Steps<MirrorResult> {
    const run = (): Steps<MirrorResult> => this.access.write(context, start, npages, source);
    return this.views.run(MirrorCommand.Write, context, start, npages, run);
  }

  /** See {@link MirrorMigrate.toDevice}. */
  migrateToDevice(context: MirrorContext, start: Vpn, npages: number, sink: PageSink): Steps<MirrorResult> {
    const run = (): Steps<MirrorResult> => this.migrate.toDevice(context, start, npages, sink);
    return this.views.run(MirrorCommand.MigrateToDevice, context, start, npages, run);
  }

  /** See {@link MirrorMigrate.toSystem}. */
  migrateToSystem(context: MirrorContext, start: Vpn, npages: number): Steps<MirrorResult> {
    const run = (): Steps<MirrorResult> => this.migrate.toSystem(context, start, npages);
    return this.views.run(MirrorCommand.MigrateToSystem, context, start, npages, run);
  }

  /** Sets the flags of the context, of `MirrorFlag`; so many allocations fail if they say so. @kernel HMM_DMIRROR_FLAGS */
  setFlags(context: MirrorContext, flags: number, failures = 1): void {
    context.setFlags(flags, failures);
  }
}
