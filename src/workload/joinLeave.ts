/** A CPU thread that keeps taking devices out of the mirror of its process and putting them back, while other workloads use them. */

import { Errno, errnoName } from '../base/errno.js';
import type { Random } from '../sim/random.js';
import type { Steps } from '../sim/steps.js';
import { firstError } from './hostSteps.js';
import {
  type DeviceKernel,
  type Expectation,
  emptyIf,
  type HostContext,
  type Progress,
  type Workload,
  type WorkloadResult,
} from './workload.js';
import type { JoinLeaveConfig } from './workloadConfig.js';
import { WorkloadStep } from './workloadStep.js';
import { actorRandom, type WorkloadWorld } from './workloadWorld.js';

/** A long pause is slept in pieces, so that the run can be paused and stopped meanwhile. */
const SLEEP_SLICE_NS = 1_000_000;

/** What the program needs of its host. */
export type ChangingHost = Pick<
  HostContext,
  'deviceCount' | 'gate' | 'stopping' | 'setMembership' | 'sleep' | 'parallel' | 'now' | 'noteLoad'
>;

export class JoinLeave implements Workload {
  readonly name: string;
  private readonly counts = { joins: 0, leaves: 0, busy: 0, fewest: 0 };
  private present = 0;
  private changes = 0;

  constructor(
    private readonly config: JoinLeaveConfig,
    private readonly index: number,
    private readonly world: WorkloadWorld,
  ) {
    this.name = config.name;
    this.present = world.deviceCount;
    this.counts.fewest = world.deviceCount;
  }

  /** Several changes go on at once, each of another device. At the end all devices are back, since others may wait for them. */
  *run(host: ChangingHost): Steps<WorkloadResult> {
    const { stay, atOnce } = this.config;
    const movable = Array.from({ length: host.deviceCount - stay }, (_, i) => stay + i);
    const shares = Array.from({ length: Math.min(atOnce, movable.length) }, (_, i) =>
      movable.filter((_device, at) => at % atOnce === i),
    );
    const errno = firstError(
      yield* host.parallel(shares.map((share, i) => this.keepChanging(host, share, i))),
    );
    const { joins, leaves } = this.counts;
    const what = `${joins} joins and ${leaves} leaves of ${movable.length} devices`;
    const detail = errno === Errno.OK ? what : `after ${what}: ${errnoName(errno)}`;
    const counts = { ...this.counts };
    return { workload: this.name, ok: errno === Errno.OK, detail, counts, ...emptyIf(joins + leaves === 0) };
  }

  kernel(): DeviceKernel {
    throw new Error('a load of joining and leaving runs nothing on devices');
  }

  progress(): Progress {
    return {};
  }

  /** It has no memory of its own. */
  expect(): Expectation[] {
    return [];
  }

  private *keepChanging(host: ChangingHost, devices: readonly number[], stream: number): Steps<Errno> {
    const random = actorRandom(this.world, this.index, stream);
    const away = new Set<number>();
    let errno: Errno = Errno.OK;
    while (errno === Errno.OK && this.changes < this.config.operations && !host.stopping) {
      if (host.gate.isClosed) yield* host.gate.pass();
      this.changes++;
      const startNs = host.now();
      errno = yield* this.changeOne(host, devices[random.below(devices.length)], away);
      host.noteLoad('join-leave', host.now() - startNs);
      yield WorkloadStep.call;
      if (errno === Errno.OK) yield* this.pause(host, random);
    }
    for (const device of away) {
      if (host.gate.isClosed) yield* host.gate.pass();
      const joined = yield* this.join(host, device);
      if (errno === Errno.OK) errno = joined;
    }
    return errno;
  }

  private *changeOne(host: ChangingHost, device: number, away: Set<number>): Steps<Errno> {
    if (away.has(device)) {
      const errno = yield* this.join(host, device);
      if (errno === Errno.OK) away.delete(device);
      return errno;
    }
    away.add(device);
    return yield* this.leave(host, device);
  }

  private *join(host: ChangingHost, device: number): Steps<Errno> {
    const errno = yield* host.setMembership(device, true);
    if (errno !== Errno.OK) return errno;
    this.counts.joins++;
    this.present++;
    return errno;
  }

  /** A device whose pages are in use is out all the same. */
  private *leave(host: ChangingHost, device: number): Steps<Errno> {
    this.present--;
    this.counts.fewest = Math.min(this.counts.fewest, this.present);
    const errno = yield* host.setMembership(device, false);
    this.counts.leaves++;
    if (errno !== Errno.EBUSY) return errno;
    this.counts.busy++;
    return Errno.OK;
  }

  /** From nothing to twice the pause, so that changes do not keep a beat with what else goes on. */
  private *pause(host: ChangingHost, random: Random): Steps<void> {
    let leftNs = this.config.pauseUs * 1000 * 2 * random.unit();
    for (; leftNs > 0 && !host.stopping; leftNs -= SLEEP_SLICE_NS) {
      if (host.gate.isClosed) yield* host.gate.pass();
      yield* host.sleep(Math.min(leftNs, SLEEP_SLICE_NS));
    }
  }
}
