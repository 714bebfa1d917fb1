/** Repeats recorded accesses: every device, and the CPU thread, its own, at the recorded addresses. */

import { basename } from 'node:path';
import { Errno } from '../../base/errno.js';
import type { Random } from '../../sim/random.js';
import type { Steps } from '../../sim/steps.js';
import { counted } from '../counted.js';
import type { GhostActor } from '../ghost/ghostActor.js';
import { type DevicePart, GhostWorkload } from '../ghostWorkload.js';
import { failure, firstError, mapBuffer } from '../hostSteps.js';
import { type DeviceContext, emptyIf, type HostContext, type WorkloadResult } from '../workload.js';
import type { AccessesConfig } from '../workloadConfig.js';
import { WorkloadStep } from '../workloadStep.js';
import { actorRandom, CPU_ACTOR, type WorkloadWorld } from '../workloadWorld.js';
import { type AccessPlan, accessPlan } from './accessPlan.js';

const CPU = -1;

/**
 * All accessed pages are private anonymous memory, mapped at the start. The contexts of a device share its accesses of a window; between two
 * windows all wait for one another, so that the recorded order holds from window to window, but not within one.
 */
export class AccessReplay extends GhostWorkload {
  private readonly plan: AccessPlan;

  constructor(
    private readonly config: AccessesConfig,
    index: number,
    world: WorkloadWorld,
  ) {
    const plan = accessPlan(config);
    super(config.name, index, world, plan);
    this.plan = plan;
  }

  protected *program(host: HostContext, actor: GhostActor): Steps<WorkloadResult> {
    for (const { start, end } of this.plan.spans) {
      const errno = yield* mapBuffer(host, start, end - start);
      if (errno !== Errno.OK) return failure(this.name, `mmap of ${end - start} pages`, errno);
    }
    const random = actorRandom(this.world, this.index, CPU_ACTOR);
    let window = 0;
    let isCut = false;
    for (; window < this.plan.windows && !host.stopping; window++) {
      if (host.gate.isClosed) yield* host.gate.pass();
      const errno = yield* this.oneWindow(host, actor, window, random);
      isCut = errno === Errno.EINTR;
      if (isCut) break;
      if (errno !== Errno.OK) return failure(this.name, `window ${window}`, errno);
    }
    return this.result(actor, window, isCut);
  }

  protected *compute(context: DeviceContext, part: DevicePart, _phase: number, window: number): Steps<Errno> {
    const rows = this.plan.rowsOf(part.device, window);
    const refusedBefore = part.actor.refused;
    let i = context.index;
    for (; i < rows.length && !context.gate.ending; i += context.count) {
      if (context.gate.isClosed) yield* context.gate.pass();
      const errno = yield* this.deviceAccess(context, part, this.pageOf(rows[i]), this.isStore(rows[i]));
      if (errno !== Errno.OK) return errno;
      yield WorkloadStep.access;
    }
    // Nobody takes this memory away.
    if (part.actor.refused !== refusedBefore) return Errno.EFAULT;
    return i < rows.length ? Errno.EINTR : Errno.OK;
  }

  private *oneWindow(host: HostContext, actor: GhostActor, window: number, random: Random): Steps<Errno> {
    const own = this.cpuAccesses(host, actor, window, random);
    const launches = Array.from({ length: host.deviceCount }, (_, device) => device)
      .filter((device) => this.plan.rowsOf(device, window).length > 0)
      .map((device) => host.launch(device, 0, window, 0));
    return firstError(yield* host.parallel([own, ...launches]));
  }

  private *cpuAccesses(host: HostContext, actor: GhostActor, window: number, random: Random): Steps<Errno> {
    for (const row of this.plan.rowsOf(CPU, window)) {
      if (host.stopping) return Errno.EINTR;
      if (host.gate.isClosed) yield* host.gate.pass();
      const store = this.isStore(row);
      const errno = yield* this.access(host, actor, CPU_ACTOR, 0, this.pageOf(row), store, random);
      if (errno !== Errno.OK) return errno;
      yield WorkloadStep.access;
    }
    return Errno.OK;
  }

  private pageOf(row: number): number {
    return this.plan.indexOf(this.config.trace.pages[row]);
  }

  private isStore(row: number): boolean {
    return this.config.trace.stores[row] === 1;
  }

  /** `isCut`: the run ended within one more window. */
  private result(actor: GhostActor, windows: number, isCut: boolean): WorkloadResult {
    const { trace } = this.config;
    const { stores, loads, violationCount, firstViolation } = actor;
    const accesses = Math.min(windows * this.config.window, trace.pages.length);
    const counts = { accesses, pages: this.plan.count, windows, stores, loads, violations: violationCount };
    const what = `${counted(accesses, 'access', 'accesses')} of ${basename(trace.fileName)} to ${counted(this.plan.count, 'page')} in ${counted(windows, 'window')}${isCut ? ' and part of one' : ''}`;
    return {
      workload: this.name,
      ok: firstViolation === null,
      detail: firstViolation ?? what,
      counts,
      ...emptyIf(accesses === 0 && !isCut),
    };
  }
}
