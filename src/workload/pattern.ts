/** Loads and stores by a pattern, from all devices and the CPU thread at the same time. */

import { Errno, errnoName } from '../base/errno.js';
import type { AccessPort } from '../memory/accessPort.js';
import type { Random } from '../sim/random.js';
import type { Steps } from '../sim/steps.js';
import { counted } from './counted.js';
import type { GhostActor } from './ghost/ghostActor.js';
import { GhostSpan } from './ghost/ghostPages.js';
import { type DevicePart, GhostWorkload } from './ghostWorkload.js';
import { failure, firstError, mapBuffer } from './hostSteps.js';
import { type PageSequence, pageSequence } from './pageSequence.js';
import { type Share, shareOf } from './partition.js';
import {
  bufferBase,
  type DeviceContext,
  emptyIf,
  type HostContext,
  type WorkloadResult,
} from './workload.js';
import type { PatternConfig } from './workloadConfig.js';
import { WorkloadStep } from './workloadStep.js';
import { actorCount, actorRandom, CPU_ACTOR, contextActor, type WorkloadWorld } from './workloadWorld.js';

/** Pages that the CPU thread reads back at the end, at most, spread over the buffer. */
const READ_BACK_PAGES = 256;

export class Pattern extends GhostWorkload {
  private readonly buffer: GhostSpan;
  /** By context of this instance's device. They go on from round to round. */
  private readonly sequences = new Map<number, PageSequence>();

  constructor(
    private readonly config: PatternConfig,
    index: number,
    world: WorkloadWorld,
  ) {
    const buffer = new GhostSpan(bufferBase(index), config.pages);
    super(config.name, index, world, buffer);
    this.buffer = buffer;
  }

  protected *program(host: HostContext, actor: GhostActor): Steps<WorkloadResult> {
    const errno = yield* mapBuffer(host, this.buffer.start, this.buffer.count);
    if (errno !== Errno.OK) return failure(this.name, 'mmap of its buffer', errno);
    const random = actorRandom(this.world, this.index, CPU_ACTOR);
    const sequence = this.sequenceOf(CPU_ACTOR, random);
    const { rounds, cpu } = this.config;
    let round = 0;
    let isCut = false;
    for (; round < rounds && !host.stopping; round++) {
      if (host.gate.isClosed) yield* host.gate.pass();
      const accesses = cpu ? [this.hostRound(host, actor, sequence, random)] : [];
      const launches = Array.from({ length: host.deviceCount }, (_, device) =>
        host.launch(device, round, 0, 0),
      );
      const roundErrno = firstError(yield* host.parallel([...accesses, ...launches]));
      isCut = roundErrno === Errno.EINTR;
      if (isCut) break;
      if (roundErrno !== Errno.OK) return failure(this.name, `round ${round}`, roundErrno);
    }
    const readBack = yield* this.readBack(host, actor, random);
    return this.result(actor, round, isCut, readBack);
  }

  protected *compute(context: DeviceContext, part: DevicePart): Steps<Errno> {
    const { index } = context;
    const sequence = this.contextSequence(part, index);
    const refusedBefore = part.actor.refused;
    let done = 0;
    for (; done < this.config.accesses && !context.gate.ending; done++) {
      if (context.gate.isClosed) yield* context.gate.pass();
      const isStore = part.randoms[index].unit() >= this.config.readRatio;
      const errno = yield* this.deviceAccess(
        context,
        part,
        this.partStart(part, index) + sequence.next(),
        isStore,
      );
      if (errno !== Errno.OK) return errno;
      yield WorkloadStep.access;
    }
    // Nobody takes this buffer away, so the kernel goes on after a refusal, but it is an error.
    if (part.actor.refused !== refusedBefore) return Errno.EFAULT;
    return done < this.config.accesses ? Errno.EINTR : Errno.OK;
  }

  private *hostRound(
    host: HostContext,
    actor: GhostActor,
    sequence: PageSequence,
    random: Random,
  ): Steps<Errno> {
    const { start } = this.shareOfActor(CPU_ACTOR);
    for (let i = 0; i < this.config.accesses; i++) {
      if (host.stopping) return Errno.EINTR;
      if (host.gate.isClosed) yield* host.gate.pass();
      const errno = yield* this.hostAccess(host, actor, start + sequence.next(), random);
      if (errno !== Errno.OK) return errno;
      yield WorkloadStep.access;
    }
    return Errno.OK;
  }

  private hostAccess(port: AccessPort, actor: GhostActor, index: number, random: Random): Steps<Errno> {
    const isStore = random.unit() >= this.config.readRatio;
    return this.access(port, actor, CPU_ACTOR, 0, index, isStore, random);
  }

  private contextSequence(part: DevicePart, context: number): PageSequence {
    const known = this.sequences.get(context);
    if (known !== undefined) return known;
    const actor = contextActor(this.world, part.device, context);
    const sequence = this.sequenceOf(actor, part.randoms[context]);
    this.sequences.set(context, sequence);
    return sequence;
  }

  private sequenceOf(actor: number, random: Random): PageSequence {
    const { pattern, stridePages } = this.config;
    const { start, end } = this.shareOfActor(actor);
    return pageSequence(pattern, end - start, stridePages, random);
  }

  private partStart(part: DevicePart, context: number): number {
    return this.shareOfActor(contextActor(this.world, part.device, context)).start;
  }

  /** At least one page each, so that with more actors than pages several share one. */
  private shareOfActor(actor: number): Share {
    const { sharing, pages, cpu } = this.config;
    if (sharing === 'shared') return { start: 0, end: pages };
    const idle = cpu ? 0 : 1;
    const actors = actorCount(this.world) - idle;
    const { start, end } = shareOf(pages, actors, Math.max(actor - idle, 0));
    return { start, end: Math.max(end, start + 1) };
  }

  private *readBack(host: HostContext, actor: GhostActor, random: Random): Steps<Errno> {
    const count = Math.min(this.buffer.count, READ_BACK_PAGES);
    for (let i = 0; i < count && !host.stopping; i++) {
      if (host.gate.isClosed) yield* host.gate.pass();
      const index = Math.floor((i * this.buffer.count) / count);
      const errno = yield* actor.load(host, 0, index, random);
      if (errno !== Errno.OK) return errno;
      yield WorkloadStep.access;
    }
    return Errno.OK;
  }

  /** `isCut`: the run ended within one more round. */
  private result(actor: GhostActor, rounds: number, isCut: boolean, readBack: Errno): WorkloadResult {
    const { name, config } = this;
    const counts = { rounds, stores: actor.stores, loads: actor.loads, violations: actor.violationCount };
    if (readBack !== Errno.OK) {
      return { workload: name, ok: false, detail: `reading back gives ${errnoName(readBack)}`, counts };
    }
    const amount = `${counted(rounds, 'round')}${isCut ? ' and part of one' : ''}`;
    const what = `${amount} of ${counted(config.accesses, `${config.pattern} access`, `${config.pattern} accesses`)} on ${counted(config.pages, 'page')}`;
    const wrong = actor.firstViolation;
    return {
      workload: name,
      ok: wrong === null,
      detail: wrong ?? what,
      counts,
      ...emptyIf(rounds === 0 && !isCut),
    };
  }
}
