/** Replays a recorded program's memory calls at their addresses, touching what it maps, while the devices access the same pages. */

import { basename } from 'node:path';
import { assert } from '../base/assert.js';
import { Errno, errnoName } from '../base/errno.js';
import { formatVpn } from '../base/units.js';
import type { Random } from '../sim/random.js';
import type { Steps } from '../sim/steps.js';
import { counted } from './counted.js';
import type { GhostActor } from './ghost/ghostActor.js';
import { type DevicePart, GhostWorkload } from './ghostWorkload.js';
import { firstError, toErrno } from './hostSteps.js';
import { Pacer } from './pacer.js';
import type { ReplayOp } from './replayOps.js';
import { movedTo, OPS_PER_CHUNK, type TracePlan, tracePlan } from './tracePlan.js';
import {
  Advice,
  type DeviceContext,
  emptyIf,
  type HostContext,
  MapFlag,
  type WorkloadResult,
} from './workload.js';
import type { TraceConfig } from './workloadConfig.js';
import { WorkloadStep } from './workloadStep.js';
import { actorRandom, CPU_ACTOR, type WorkloadWorld } from './workloadWorld.js';

const STORE_RATIO = 0.5;

/** What the replay has done, and what went otherwise than when it was recorded. */
interface ReplayState {
  /** Rounds that were replayed to their end. */
  rounds: number;
  /** Of all rounds, without what was mapped before the trace. */
  calls: number;
  /** Before the round that is under way. */
  callsBefore: number;
  touched: number;
  mismatch: string | null;
}

/**
 * Threads of the program are replayed by one CPU thread, in an order in which their calls can have taken effect. All memory is private and
 * anonymous: mappings of files and shared mappings have the recorded size, place and protection, but neither content nor sharing. What was
 * mapped before the recording is mapped first, readable and writable.
 */
export class TraceReplay extends GhostWorkload {
  private readonly plan: TracePlan;
  private readonly state: ReplayState = {
    rounds: 0,
    calls: 0,
    callsBefore: 0,
    touched: 0,
    mismatch: null,
  };

  constructor(
    private readonly config: TraceConfig,
    index: number,
    world: WorkloadWorld,
  ) {
    const plan = tracePlan(config);
    super(config.name, index, world, plan);
    this.plan = plan;
  }

  protected *program(host: HostContext, actor: GhostActor): Steps<WorkloadResult> {
    const random = actorRandom(this.world, this.index, CPU_ACTOR);
    const { rounds = 1, ratePerSecond = Number.POSITIVE_INFINITY } = this.config;
    const pacer = new Pacer(ratePerSecond);
    for (let round = 0; round < rounds && this.state.mismatch === null; round++) {
      yield* pacer.next(host);
      if (host.stopping) break;
      if (round > 0) yield* this.clearAll(host);
      const startNs = host.now();
      yield* this.replayOnce(host, actor, random);
      if (host.stopping) break;
      this.state.rounds++;
      host.noteLoad('trace', host.now() - startNs);
    }
    return this.result(actor);
  }

  /** The next replay begins as the first one did: with nothing mapped. */
  private *clearAll(host: HostContext): Steps<void> {
    this.state.callsBefore = this.state.calls;
    for (const { start, end } of this.plan.spans) {
      if (host.gate.isClosed) yield* host.gate.pass();
      const errno = yield* this.zapAround(start, end - start, host.munmap(start, end - start));
      if (errno !== Errno.OK) this.state.mismatch ??= `clearing gives ${errnoName(toErrno(errno))}`;
      yield WorkloadStep.call;
    }
  }

  private *replayOnce(host: HostContext, actor: GhostActor, random: Random): Steps<void> {
    for (let chunk = 0; chunk < this.plan.chunks && !host.stopping; chunk++) {
      if (host.gate.isClosed) yield* host.gate.pass();
      const launches = Array.from({ length: host.deviceCount }, (_, device) =>
        host.launch(device, 0, chunk, 0),
      );
      const replay = this.replayChunk(host, actor, chunk, random);
      const errno = firstError(yield* host.parallel([replay, ...launches]));
      if (errno !== Errno.OK) this.state.mismatch ??= `chunk ${chunk} gives ${errnoName(errno)}`;
      if (this.state.mismatch !== null) break;
    }
  }

  protected *compute(context: DeviceContext, part: DevicePart, _phase: number, chunk: number): Steps<Errno> {
    const pages = this.plan.chunkPages[chunk];
    assert(pages !== undefined, () => `chunk ${chunk} of ${this.plan.chunks}`);
    if (pages.length === 0) return Errno.OK;
    const random = part.randoms[context.index];
    for (let i = 0; i < this.config.deviceAccesses && !context.gate.ending; i++) {
      if (context.gate.isClosed) yield* context.gate.pass();
      const index = pages[random.below(pages.length)];
      const errno = yield* this.deviceAccess(context, part, index, random.unit() < STORE_RATIO);
      if (errno !== Errno.OK) return errno;
      yield WorkloadStep.access;
    }
    return Errno.OK;
  }

  private *replayChunk(host: HostContext, actor: GhostActor, chunk: number, random: Random): Steps<Errno> {
    const end = Math.min((chunk + 1) * OPS_PER_CHUNK, this.plan.replay.ops.length);
    for (let at = chunk * OPS_PER_CHUNK; at < end; at++) {
      if (host.gate.isClosed) yield* host.gate.pass();
      if (host.stopping || this.state.mismatch !== null) break;
      yield* this.replayOp(host, actor, at, random);
      yield WorkloadStep.call;
    }
    return Errno.OK;
  }

  private *replayOp(host: HostContext, actor: GhostActor, at: number, random: Random): Steps<void> {
    const op = this.plan.replay.ops[at];
    const { before, after } = this.plan.touches[at];
    for (const index of before) yield* this.touch(host, actor, op, index, false, random);
    yield* this.call(host, actor, op);
    if (this.state.mismatch !== null) return;
    if (op.line > 0 && op.kind !== 'touch') this.state.calls++;
    for (const index of after) {
      yield* this.touch(host, actor, op, index, false, random);
      yield* this.touch(host, actor, op, index, true, random);
    }
  }

  /** The program could access these pages at this moment, so its replay can. */
  private *touch(
    host: HostContext,
    actor: GhostActor,
    op: ReplayOp,
    index: number,
    isStore: boolean,
    random: Random,
  ): Steps<void> {
    if (this.state.mismatch !== null) return;
    if (host.gate.isClosed) yield* host.gate.pass();
    const errno = yield* this.access(host, actor, CPU_ACTOR, 0, index, isStore, random);
    if (errno === Errno.OK) this.state.touched++;
    else
      this.mismatch(op, `${isStore ? 'store to' : 'load of'} ${formatVpn(this.plan.pageAt(index))}`, errno);
    yield WorkloadStep.access;
  }

  private *call(host: HostContext, actor: GhostActor, op: ReplayOp): Steps<void> {
    switch (op.kind) {
      case 'map': {
        const map = host.mmap(op.start, op.npages, op.prot, MapFlag.Fixed);
        this.compare(op, op.start, yield* this.zapAround(op.start, op.npages, map));
        return;
      }
      case 'unmap': {
        const unmap = host.munmap(op.start, op.npages);
        this.compare(op, Errno.OK, yield* this.zapAround(op.start, op.npages, unmap));
        return;
      }
      case 'drop': {
        const drop = host.madvise(op.start, op.npages, Advice.DontNeed);
        this.compare(op, Errno.OK, yield* this.zapAround(op.start, op.npages, drop));
        return;
      }
      case 'touch':
        // The accesses around it are all that it is.
        return;
      case 'protect':
        this.compare(op, Errno.OK, yield* host.mprotect(op.start, op.npages, op.prot));
        return;
      case 'remap':
        yield* this.remap(host, actor, op);
    }
  }

  /** Runs a call by which the tracked pages of a stretch lose their content. */
  private *zapAround(start: number, npages: number, call: Steps<number>): Steps<number> {
    const first = this.plan.firstAtLeast(start);
    const count = this.plan.firstAtLeast(start + npages) - first;
    this.ghost.region.beginZap(first, count);
    const result = yield* call;
    // Of a call that failed nobody knows how far it came.
    if (result >= 0) this.ghost.region.endZap(first, count);
    return result;
  }

  /** For the counters both ends lose what they held; then this thread's words, which nobody else stores to at movable pages, are moved. */
  private *remap(host: HostContext, actor: GhostActor, op: ReplayOp & { kind: 'remap' }): Steps<void> {
    const { from, to, fromPages, toPages, flags } = op;
    const call = host.mremap(from, fromPages, toPages, flags, to);
    if (from === to) {
      const kept = Math.min(fromPages, toPages);
      const cut = Math.max(fromPages, toPages) - kept;
      this.compare(op, to, yield* this.zapAround(from + kept, cut, call));
      return;
    }
    const moved = this.wordsToMove(actor, op);
    const result = yield* this.zapAround(to, toPages, this.zapAround(from, fromPages, call));
    this.compare(op, to, result);
    if (result !== to) return;
    for (const { index, value } of moved) actor.adopt(0, index, value);
  }

  private wordsToMove(
    actor: GhostActor,
    op: ReplayOp & { kind: 'remap' },
  ): readonly { index: number; value: number }[] {
    const { plan } = this;
    const end = plan.firstAtLeast(op.from + op.fromPages);
    const words: { index: number; value: number }[] = [];
    for (let index = plan.firstAtLeast(op.from); index < end; index++) {
      const target = movedTo(op, plan.pageAt(index));
      const value = actor.keptValue(0, index);
      if (target === null || value === 0) continue;
      const to = plan.indexOf(target);
      assert(to >= 0, () => `${formatVpn(target)} is not in the plan, but content moves there`);
      words.push({ index: to, value });
    }
    return words;
  }

  private compare(op: ReplayOp, recorded: number, result: number): void {
    if (result !== recorded) this.mismatch(op, `recorded ${formatResult(recorded)}, replayed`, result);
  }

  private mismatch(op: ReplayOp, what: string, result: number): void {
    const where = op.line === 0 ? 'what was mapped before' : `line ${op.line}, ${op.kind}`;
    this.state.mismatch ??= `${basename(this.plan.replay.fileName)} ${where}: ${what} ${formatResult(result)}`;
  }

  private result(actor: GhostActor): WorkloadResult {
    const { replay, chunks } = this.plan;
    const { calls, touched, mismatch } = this.state;
    const { stores, loads, violationCount } = actor;
    const counts = { calls, touched, stores, loads, violations: violationCount, chunks };
    const unknown = replay.withoutResult === 0 ? '' : `; ${replay.withoutResult} without a result left out`;
    const others = replay.otherPids === 0 ? '' : `; other processes or threads left out: ${replay.otherPids}`;
    const what =
      `${this.amount} of ${basename(replay.fileName)} as recorded; ${replay.madePrivate} file or shared mappings made private, ` +
      `${replay.withoutEffect} calls without effect and ${replay.skippedFailures} failed ones left out${unknown}${others}`;
    const wrong = mismatch ?? actor.firstViolation;
    return {
      workload: this.name,
      ok: wrong === null,
      detail: wrong ?? what,
      counts,
      ...emptyIf(calls + touched === 0),
    };
  }

  /** How many calls, and of which rounds, where there may be several. */
  private get amount(): string {
    const { rounds, calls, callsBefore } = this.state;
    const all = this.plan.replay.calls;
    const isWhole = rounds * all === calls;
    if (rounds === 0) return `${calls} of ${all} calls`;
    if (rounds === 1 && isWhole) return `${calls} calls`;
    const whole = `${counted(rounds, 'round')} of ${all} calls`;
    return isWhole ? whole : `${whole}, and ${calls - callsBefore} of the next,`;
  }
}

/** An address, or an errno by its name. */
function formatResult(result: number): string {
  return result > 0 ? formatVpn(result) : errnoName(toErrno(result));
}
