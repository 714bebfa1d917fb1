/** A CPU thread that keeps taking a buffer away, in pieces, which the devices and it itself access all the time. */

import { assert } from '../base/assert.js';
import { Errno, errnoName } from '../base/errno.js';
import { alignDown, PMD_PAGES, type Vpn, vpn } from '../base/units.js';
import type { Random } from '../sim/random.js';
import type { Steps } from '../sim/steps.js';
import { IoctlRequest } from '../uapi/ioctlRequest.js';
import { counted } from './counted.js';
import { forkAndCheck } from './forkedChild.js';
import type { GhostActor } from './ghost/ghostActor.js';
import { GhostSpan } from './ghost/ghostPages.js';
import { type DevicePart, GhostWorkload } from './ghostWorkload.js';
import { failure, firstError, mapBuffer, PROT_RW, toErrno } from './hostSteps.js';
import { Pacer } from './pacer.js';
import {
  Advice,
  bufferBase,
  type DeviceContext,
  emptyIf,
  type HostContext,
  MapFlag,
  Prot,
  RemapFlag,
  type WorkloadResult,
} from './workload.js';
import type { InvalidateConfig, InvalidationCall } from './workloadConfig.js';
import { WorkloadStep } from './workloadStep.js';
import { actorRandom, CPU_ACTOR, type WorkloadWorld } from './workloadWorld.js';

/** Between two launches on a device while the calls pause: simulated time must pass even where launches cost none. */
const LAUNCH_GAP_NS = 10_000;
const STORE_RATIO = 0.5;
/** A long pause is slept in pieces, so that the run can be paused and stopped meanwhile. */
const SLEEP_SLICE_NS = 1_000_000;
/** Addresses of a workload, from its buffer on; pieces of the buffer move to their end for a while. */
const AREA_PAGES = 2 ** 22;

/** Ranges of one prefetch that are under way at a time, at most. */
const PREFETCH_DEPTH = 4;
/** Ends of a prefetch that are no loss: whoever accesses the pages gets them all the same. */
const REFUSALS: ReadonlySet<Errno> = new Set([
  Errno.EBUSY,
  Errno.ETIME,
  Errno.ENOMEM,
  // The device leaves, or its mirror goes with it.
  Errno.ENODEV,
  Errno.ENOENT,
]);

/** A piece of the buffer, by page index. */
interface Span {
  readonly first: number;
  readonly npages: number;
  readonly start: Vpn;
}

interface CallCounts {
  calls: number;
  failed: number;
}

export class Invalidate extends GhostWorkload {
  private readonly buffer: GhostSpan;
  private readonly counts: CallCounts = { calls: 0, failed: 0 };
  private readonly aside: Vpn;
  private ended = false;
  private isPausing = false;
  private readonly pacer: Pacer;
  /** The thread runs a child for the time being, in which the devices do not work. */
  private isChild = false;
  private wrong: string | null = null;

  constructor(
    private readonly config: InvalidateConfig,
    index: number,
    world: WorkloadWorld,
  ) {
    const buffer = new GhostSpan(bufferBase(index), config.pages);
    super(config.name, index, world, buffer);
    this.buffer = buffer;
    this.pacer = new Pacer(config.ratePerSecond ?? Number.POSITIVE_INFINITY);
    this.aside = vpn(alignDown(buffer.start + AREA_PAGES - config.spanPages, PMD_PAGES));
    assert(
      buffer.start + config.pages < this.aside,
      () => `${config.name}: ${config.pages} pages leave no room for moves`,
    );
  }

  protected *program(host: HostContext, actor: GhostActor): Steps<WorkloadResult> {
    const mapped = yield* mapBuffer(host, this.buffer.start, this.buffer.count);
    if (mapped !== Errno.OK) return failure(this.name, 'mmap of its buffer', mapped);
    const devices = Array.from({ length: host.deviceCount }, (_, device) => this.keepLaunching(host, device));
    const errnos = yield* host.parallel([this.callUntilEnd(host, actor), ...devices]);
    return this.result(actor, firstError(errnos));
  }

  protected *compute(context: DeviceContext, part: DevicePart): Steps<Errno> {
    const random = part.randoms[context.index];
    for (let i = 0; i < this.config.launchAccesses && !context.gate.ending; i++) {
      if (context.gate.isClosed) yield* context.gate.pass();
      const index = random.below(this.buffer.count);
      const errno = yield* this.deviceAccess(context, part, index, random.unit() < STORE_RATIO);
      if (errno !== Errno.OK) return errno;
      yield WorkloadStep.access;
    }
    return Errno.OK;
  }

  /** At least once, so that even a single call meets the devices. An error of a device ends the calls too. */
  private *keepLaunching(host: HostContext, device: number): Steps<Errno> {
    for (let phase = 0; phase === 0 || !this.ended; phase++) {
      if (host.gate.isClosed) yield* host.gate.pass();
      while (this.isChild) yield* host.sleep(LAUNCH_GAP_NS);
      const errno = yield* host.launch(device, phase, 0, 0);
      if (errno !== Errno.OK) {
        this.ended = true;
        return errno;
      }
      if (this.isPausing || this.pacer.isWaiting) yield* host.sleep(LAUNCH_GAP_NS);
      else yield WorkloadStep.call;
    }
    return Errno.OK;
  }

  private *callUntilEnd(host: HostContext, actor: GhostActor): Steps<Errno> {
    const random = actorRandom(this.world, this.index, CPU_ACTOR);
    let errno: Errno = Errno.OK;
    for (let i = 0; i < this.config.operations && errno === Errno.OK; i++) {
      yield* this.pacer.next(host);
      if (host.stopping || this.ended || this.wrong !== null) break;
      if (host.gate.isClosed) yield* host.gate.pass();
      errno = yield* this.oneCall(host, actor, random);
      yield WorkloadStep.call;
      if (errno === Errno.OK && this.config.pauseUs > 0) yield* this.pause(host);
    }
    this.ended = true;
    return errno;
  }

  private *pause(host: HostContext): Steps<void> {
    this.isPausing = true;
    for (let leftNs = this.config.pauseUs * 1000; leftNs > 0 && !host.stopping; leftNs -= SLEEP_SLICE_NS) {
      if (host.gate.isClosed) yield* host.gate.pass();
      yield* host.sleep(Math.min(leftNs, SLEEP_SLICE_NS));
    }
    this.isPausing = false;
  }

  /** A store before it and a load after it let the CPU's own translations take part. */
  private *oneCall(host: HostContext, actor: GhostActor, random: Random): Steps<Errno> {
    const span = this.randomSpan(random);
    const call = this.config.calls[random.below(this.config.calls.length)];
    const stored = yield* this.storeIn(host, actor, span, random);
    if (stored !== Errno.OK) return stored;
    this.counts.calls++;
    const startNs = host.now();
    let errno = yield* this.makeCall(host, actor, call, span, random);
    host.noteLoad(call, host.now() - startNs);
    if (errno !== Errno.OK) {
      this.counts.failed++;
      errno = yield* this.mapAnew(host, span);
    }
    if (errno !== Errno.OK) return errno;
    if (this.config.verifiesCalls === true) return yield* this.loadAll(host, actor, span, random);
    return yield* actor.load(host, 0, this.randomIn(span, random), random);
  }

  private *loadAll(host: HostContext, actor: GhostActor, span: Span, random: Random): Steps<Errno> {
    let errno: Errno = Errno.OK;
    for (let i = 0; i < span.npages && errno === Errno.OK; i++) {
      if (host.gate.isClosed) yield* host.gate.pass();
      errno = yield* actor.load(host, 0, span.first + i, random);
      yield WorkloadStep.access;
    }
    return errno;
  }

  private *storeIn(host: HostContext, actor: GhostActor, span: Span, random: Random): Steps<Errno> {
    return yield* this.access(host, actor, CPU_ACTOR, 0, this.randomIn(span, random), true, random);
  }

  private makeCall(
    host: HostContext,
    actor: GhostActor,
    call: InvalidationCall,
    span: Span,
    random: Random,
  ): Steps<Errno> {
    switch (call) {
      case 'munmap':
        return this.mapAnew(host, span);
      case 'madvise':
        return this.drop(host, span);
      case 'mprotect':
        return this.protectForAWhile(host, actor, span, random);
      case 'mremap':
        return this.moveForAWhile(host, actor, span, random);
      case 'fork':
        return this.fork(host, actor, span);
      case 'cpu-fault':
        return this.accessByCpu(host, actor, span, random);
      case 'evict':
        return this.evict(host, random);
      case 'prefetch':
        return this.prefetch(host, span, random);
    }
  }

  /**
   * The child has what the parent had, word by word as far as only this thread stores there; the devices store to the parent meanwhile. A child for
   * which there is no memory is none.
   */
  private *fork(host: HostContext, actor: GhostActor, { first, npages }: Span): Steps<Errno> {
    this.isChild = true;
    const { slots, pages } = this.ghost;
    const words = Array.from({ length: npages }, (_, i) => first + i)
      .filter((index) => slots.owns(CPU_ACTOR, index))
      .map((index) => ({
        page: pages.pageAt(index),
        slot: slots.slotOf(CPU_ACTOR),
        value: actor.keptValue(0, index),
      }))
      .filter(({ value }) => value !== 0);
    const { errno, wrong } = yield* forkAndCheck(host, words);
    this.isChild = false;
    this.wrong ??= wrong;
    if (errno !== Errno.ENOMEM) return errno;
    this.counts.failed++;
    return Errno.OK;
  }

  /** Brings pages home that devices have just had. */
  private *accessByCpu(host: HostContext, actor: GhostActor, span: Span, random: Random): Steps<Errno> {
    const isStore = random.unit() < STORE_RATIO;
    return yield* this.access(host, actor, CPU_ACTOR, 0, this.randomIn(span, random), isStore, random);
  }

  /** Everything that migrated to one of the devices comes home, as far as nobody holds it. A device that is away has nothing. */
  private *evict(host: HostContext, random: Random): Steps<Errno> {
    const device = random.below(host.deviceCount);
    const { errno } = yield* host.ioctl(IoctlRequest.vramEvict, device, this.buffer.start, 0, 0, 0);
    if (errno !== Errno.EBUSY && errno !== Errno.ENODEV) return errno;
    this.counts.failed++;
    return Errno.OK;
  }

  /** To the memory of a device, or to RAM. Where there is no way or no room, others are faster, or the device is away, pages stay where they are. */
  private *prefetch(host: HostContext, { start, npages }: Span, random: Random): Steps<Errno> {
    const target = random.below(host.deviceCount + 1) - 1;
    const errno = yield* host.prefetch(start, npages, target, 1 + random.below(PREFETCH_DEPTH));
    if (errno === Errno.OK || !REFUSALS.has(errno)) return errno;
    this.counts.failed++;
    return Errno.OK;
  }

  /** Also how a piece is brought back after a call that failed half-way: whatever it held is gone then. */
  private *mapAnew(host: HostContext, span: Span): Steps<Errno> {
    const { region } = this.ghost;
    region.beginZap(span.first, span.npages);
    const errno = yield* this.unmapAndMap(host, span);
    region.endZap(span.first, span.npages);
    return errno;
  }

  /** If the call fails, the content has to go in another way before anybody may rely on it. */
  private *drop(host: HostContext, span: Span): Steps<Errno> {
    const { region } = this.ghost;
    region.beginZap(span.first, span.npages);
    let errno = yield* host.madvise(span.start, span.npages, Advice.DontNeed);
    if (errno !== Errno.OK) {
      this.counts.failed++;
      errno = yield* this.unmapAndMap(host, span);
    }
    region.endZap(span.first, span.npages);
    return errno;
  }

  private *unmapAndMap(host: HostContext, { start, npages }: Span): Steps<Errno> {
    const errno = yield* host.munmap(start, npages);
    if (errno !== Errno.OK) return errno;
    const result = yield* host.mmap(start, npages, PROT_RW, MapFlag.Fixed);
    return result === start ? Errno.OK : toErrno(result);
  }

  /** Content stays. Loads are still allowed where the protection is read-only. */
  private *protectForAWhile(host: HostContext, actor: GhostActor, span: Span, random: Random): Steps<Errno> {
    const prot = random.unit() < 0.5 ? Prot.Read : Prot.None;
    let errno = yield* host.mprotect(span.start, span.npages, prot);
    if (errno === Errno.OK && prot === Prot.Read) {
      errno = yield* actor.load(host, 0, this.randomIn(span, random), random);
    }
    if (errno !== Errno.OK) return errno;
    return yield* host.mprotect(span.start, span.npages, PROT_RW);
  }

  /** Content goes along, there and back. Meanwhile nobody else knows where it is. */
  private *moveForAWhile(host: HostContext, actor: GhostActor, span: Span, random: Random): Steps<Errno> {
    const { aside } = this;
    let errno = yield* this.move(host, span.start, aside, span.npages);
    if (errno === Errno.OK) {
      const index = this.randomIn(span, random);
      errno = yield* actor.loadAt(host, 0, index, vpn(aside + (index - span.first)), random);
    }
    if (errno === Errno.OK) errno = yield* this.move(host, aside, span.start, span.npages);
    // What a move that failed half-way has left there is not needed: the piece is mapped anew.
    if (errno !== Errno.OK) yield* host.munmap(aside, span.npages);
    return errno;
  }

  private *move(host: HostContext, from: Vpn, to: Vpn, npages: number): Steps<Errno> {
    const result = yield* host.mremap(from, npages, npages, RemapFlag.MayMove | RemapFlag.Fixed, to);
    return result === to ? Errno.OK : toErrno(result);
  }

  private randomSpan(random: Random): Span {
    const { count, start } = this.buffer;
    const npages = 1 + random.below(Math.min(this.config.spanPages, count));
    const first = random.below(count - npages + 1);
    return { first, npages, start: vpn(start + first) };
  }

  private randomIn({ first, npages }: Span, random: Random): number {
    return first + random.below(npages);
  }

  private result(actor: GhostActor, errno: Errno): WorkloadResult {
    const { stores, loads, violationCount } = actor;
    const counts = { ...this.counts, stores, loads, violations: violationCount };
    if (errno !== Errno.OK) {
      return {
        workload: this.name,
        ok: false,
        detail: `after ${counts.calls} calls: ${errnoName(errno)}`,
        counts,
      };
    }
    const { calls, pages } = this.config;
    const what = `${counted(counts.calls, 'call')} of ${calls.join(', ')} on ${counted(pages, 'page')}`;
    const wrong = this.wrong ?? actor.firstViolation;
    return {
      workload: this.name,
      ok: wrong === null,
      detail: wrong ?? what,
      counts,
      ...emptyIf(counts.calls === 0),
    };
  }
}
