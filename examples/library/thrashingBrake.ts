/** A driver that serves GPU faults around the reference driver: where devices take a page from one another again and again, the next one has to wait, so that the one that has it gets some work done. */

import {
  type DriverServices,
  type Errno,
  FaultKind,
  type OwnDriver,
  type RaisedFault,
  type ServeByDefault,
  type Steps,
} from 'svmsim';

export interface BrakeSettings {
  /** Changes of hands within {@link BrakeSettings.withinNs} from which on a page counts as thrashing. */
  readonly changes: number;
  readonly withinNs: number;
  /** How long the device that has a thrashing page keeps it. */
  readonly keepNs: number;
}

/** Who has had a page last, and since when it has been going to and fro. */
interface History {
  device: number;
  changes: number;
  sinceNs: number;
  /** Until then nobody takes it from its device. */
  keptUntilNs: number;
}

export class ThrashingBrake implements OwnDriver {
  private readonly histories = new Map<number, History>();
  /** Faults that had to wait. */
  held = 0;

  constructor(
    private readonly services: DriverServices,
    private readonly settings: BrakeSettings,
  ) {}

  *serveFault(fault: RaisedFault, byDefault: ServeByDefault): Steps<Errno> {
    if (fault.kind === FaultKind.Prefetch) return yield* byDefault();
    const { sched } = this.services.kernel;
    const waitNs = this.waitFor(fault, sched.now());
    if (waitNs > 0) {
      this.held++;
      yield* sched.sleep(waitNs);
    }
    const errno = yield* byDefault();
    this.note(fault, sched.now());
    return errno;
  }

  /** It has no calls, */
  register(): void {}

  /** and mirrors nothing itself. */
  notifiersOf(): number {
    return 0;
  }

  *closeAll(): Steps<void> {}

  private waitFor({ vm, page, gpu }: RaisedFault, nowNs: number): number {
    const history = this.histories.get(keyOf(vm.mm.id, page));
    if (history === undefined || history.device === gpu.index) return 0;
    return Math.max(0, history.keptUntilNs - nowNs);
  }

  private note({ vm, page, gpu }: RaisedFault, nowNs: number): void {
    const key = keyOf(vm.mm.id, page);
    const history = this.histories.get(key);
    if (history === undefined) {
      this.histories.set(key, { device: gpu.index, changes: 0, sinceNs: nowNs, keptUntilNs: 0 });
      return;
    }
    if (history.device === gpu.index) return;
    const { changes, withinNs, keepNs } = this.settings;
    if (nowNs - history.sinceNs > withinNs) Object.assign(history, { changes: 0, sinceNs: nowNs });
    history.device = gpu.index;
    history.changes++;
    history.keptUntilNs = history.changes >= changes ? nowNs + keepNs : 0;
  }
}

/** Pages are below 2^35, processes few. */
function keyOf(process: number, page: number): number {
  return process * 2 ** 36 + page;
}
