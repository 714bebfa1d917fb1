/** The links of a machine with all transfers that are under way: who shares a link shares its bandwidth. */

import { assert } from '../../base/assert.js';
import type { Scheduler } from '../../sim/scheduler.js';
import type { Steps } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Interconnect, LinkId } from '../interconnect.js';
import type { MachineFabric, Way } from './machineFabric.js';
import { fillFairly, type Share } from './maxMinFair.js';

/** A transfer under way. */
interface Transfer extends Share {
  readonly task: Task;
  /** Bytes that had not passed at `sinceNs`. */
  left: number;
  sinceNs: number;
  /** If nothing changes. */
  endNs: number;
}

/**
 * One for all devices, so only where they share a thread. Each transfer is one sleep, whose end moves when another transfer begins or ends on
 * its way: shares are max-min fair.
 */
export class Fabric {
  /** By resource. */
  private readonly crossing = new Map<number, Set<Transfer>>();

  constructor(
    private readonly sched: Scheduler,
    /** Bytes per nanosecond, by resource. */
    private readonly capacities: readonly number[],
  ) {}

  /** Returns when the bytes have passed. */
  *transfer({ path, most }: Way, bytes: number): Steps<void> {
    // Shares nothing with anybody.
    if (path.length === 0) return yield* this.sched.sleep(bytes / most);
    const now = this.sched.now();
    const { self: task } = this.sched;
    const transfer: Transfer = { path, most, rate: 0, task, left: bytes, sinceNs: now, endNs: now };
    for (const resource of path) this.at(resource).add(transfer);
    this.shareAround(transfer);
    transfer.endNs = now + bytes / transfer.rate;
    yield* this.sched.sleep(bytes / transfer.rate);
    for (const resource of path) this.at(resource).delete(transfer);
    this.shareAround(transfer);
  }

  private at(resource: number): Set<Transfer> {
    let there = this.crossing.get(resource);
    if (there === undefined) {
      there = new Set();
      this.crossing.set(resource, there);
    }
    return there;
  }

  /** Shares out anew what `changed` shares with others, directly or through them; nobody else is concerned. */
  private shareAround(changed: Transfer): void {
    const concerned = this.concernedBy(changed);
    if (concerned.length === 0) return;
    const before = concerned.map(({ rate }) => rate);
    fillFairly(this.capacities, concerned);
    concerned.forEach((transfer, i) => {
      if (transfer !== changed && transfer.rate !== before[i]) this.continueAt(transfer, before[i]);
    });
  }

  private concernedBy(changed: Transfer): Transfer[] {
    const found = new Set<Transfer>();
    const resources = [...changed.path];
    const seen = new Set(resources);
    for (let next = 0; next < resources.length; next++) {
      for (const transfer of this.at(resources[next])) {
        if (found.has(transfer)) continue;
        found.add(transfer);
        for (const resource of transfer.path) {
          if (seen.has(resource)) continue;
          seen.add(resource);
          resources.push(resource);
        }
      }
    }
    return [...found];
  }

  /** Until now it went at `before`, from now on at its rate. */
  private continueAt(transfer: Transfer, before: number): void {
    const now = this.sched.now();
    // All its bytes have passed, though its task has not gone on yet.
    if (transfer.endNs <= now) return;
    transfer.left = Math.max(0, transfer.left - before * (now - transfer.sinceNs));
    transfer.sinceNs = now;
    transfer.endNs = now + transfer.left / transfer.rate;
    this.sched.moveWake(transfer.task, transfer.left / transfer.rate);
  }
}

/** The links of one device in the fabric of all. */
export class FabricLinks implements Interconnect {
  /** By link number. */
  private readonly ways: (Way | null)[] = [];

  constructor(
    private readonly sched: Scheduler,
    private readonly fabric: Fabric,
    private readonly machine: MachineFabric,
    private readonly device: number,
  ) {}

  *transfer(link: LinkId, bytes: number, continued: boolean): Steps<void> {
    if (!this.sched.modelsTime) return;
    this.ways[link] ??= this.machine.way(this.device, link);
    const way = this.ways[link];
    assert(way !== null, () => `transfer of gpu${this.device} over link ${link}, which does not exist`);
    if (!continued) yield* this.sched.spend(way.latencyNs);
    if (isLimited(way)) yield* this.fabric.transfer(way, bytes);
  }
}

/** Bytes that nothing holds up take no time, and no step. */
function isLimited({ path, most }: Way): boolean {
  return path.length > 0 || most < Number.POSITIVE_INFINITY;
}
