/** The copy engines of one GPU: move pages between system memory, the GPU's own VRAM and that of its peers. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { PAGE_BYTES } from '../base/units.js';
import { DmaProto } from '../memory/dmaAddr.js';
import { pfn } from '../memory/pfn.js';
import type { PhysicalMemory } from '../memory/physicalMemory.js';
import type { Scheduler } from '../sim/scheduler.js';
import { STEP, type Steps } from '../sim/steps.js';
import type { TimeCost } from '../sim/timeCost.js';
import { WaitQueue } from '../sim/waitQueue.js';
import { DeviceStep } from './deviceStep.js';
import { DmaResolver } from './dmaResolver.js';
import { DmaRuns, EMPTY_FRAME } from './dmaRuns.js';
import { type Interconnect, Link, linkAt, linkFromPeer, linkToPeer } from './interconnect.js';
import type { Iommu } from './iommu.js';

/** Pages copied without a step in between: 256 KiB. */
export const COPY_CHUNK_PAGES = 64;

export interface CopyEngineConfig {
  readonly device: number;
  /** Copies that proceed at the same time. */
  readonly engines: number;
  /** Modelled cost of submitting one request. */
  readonly setupNs: TimeCost;
  /** Link numbers of the device. */
  readonly links: number;
}

export interface CopyCounters {
  requests: number;
  /** Requests that ended with -EIO. */
  errors: number;
  /** Stretches that were contiguous on both sides, each one transfer. */
  runs: number;
  pages: number;
  zeroPages: number;
  hostToDeviceBytes: number;
  deviceToHostBytes: number;
  peerBytes: number;
  localBytes: number;
  /** Time that requests spent being copied, not waiting for an engine; 0 where time is not modelled. */
  simulatedNs: number;
}

/** What one engine keeps of the chunk that it copies, so that nothing is allocated per request. */
class Engine {
  readonly from: DmaRuns;
  readonly to: DmaRuns;
  /** Bytes that the chunk put on each link. */
  readonly linkBytes: Float64Array;
  /** Links on which this request has already waited for the latency. */
  readonly latencyPaid: Uint8Array;

  constructor(resolver: DmaResolver, links: number) {
    this.from = new DmaRuns(resolver, false);
    this.to = new DmaRuns(resolver, true);
    this.linkBytes = new Float64Array(links);
    this.latencyPaid = new Uint8Array(links);
  }

  begin(): void {
    this.linkBytes.fill(0);
    this.latencyPaid.fill(0);
  }
}

/** Requests get an engine strictly in the order in which they came. */
export class CopyEngine {
  readonly counters: CopyCounters = {
    requests: 0,
    errors: 0,
    runs: 0,
    pages: 0,
    zeroPages: 0,
    hostToDeviceBytes: 0,
    deviceToHostBytes: 0,
    peerBytes: 0,
    localBytes: 0,
    simulatedNs: 0,
  };
  private readonly idle: Engine[] = [];
  private readonly queue: WaitQueue;
  private readonly resolver: DmaResolver;
  private tickets = 0;
  private finished = 0;

  constructor(
    private readonly config: CopyEngineConfig,
    private readonly sched: Scheduler,
    private readonly memory: PhysicalMemory,
    iommu: Iommu,
    private readonly interconnect: Interconnect,
  ) {
    assert(config.engines > 0, 'a GPU needs a copy engine');
    this.resolver = new DmaResolver(config.device, memory.layout, iommu);
    for (let i = 0; i < config.engines; i++) this.idle.push(new Engine(this.resolver, config.links));
    this.queue = new WaitQueue(sched, `a copy engine of gpu${config.device}`);
  }

  /** Requests that have been made and have not returned. */
  get pending(): number {
    return this.tickets - this.finished;
  }

  /**
   * Copies page i from `src[i]` to `dst[i]`; `dst` 0 skips, `src` 0 fills with zeros. An address of order n is that of 2^n pages, and the entries
   * behind it are not looked at. No page may be both read and written by one request. Errors: -EIO at the first address that the IOMMU does not map for this use; pages before it are copied.
   */
  *copy(src: Uint32Array, dst: Uint32Array, npages: number): Steps<Errno> {
    assert(npages > 0 && npages <= src.length && npages <= dst.length, () => `copy of ${npages} pages`);
    const engine = yield* this.acquireEngine();
    const startNs = this.sched.modelsTime ? this.sched.now() : 0;
    const errno = yield* this.copyChunks(engine, src, dst, npages);
    if (this.sched.modelsTime) this.counters.simulatedNs += this.sched.now() - startNs;
    if (errno !== Errno.OK) this.counters.errors++;
    this.releaseEngine(engine);
    return errno;
  }

  private *acquireEngine(): Steps<Engine> {
    const ticket = this.tickets++;
    this.counters.requests++;
    while (ticket >= this.finished + this.config.engines) yield* this.queue.wait();
    const engine = this.idle.pop();
    assert(engine !== undefined, 'a copy found no engine though its turn has come');
    engine.begin();
    return engine;
  }

  private releaseEngine(engine: Engine): void {
    this.finished++;
    this.idle.push(engine);
    this.queue.wakeOne();
  }

  private *copyChunks(engine: Engine, src: Uint32Array, dst: Uint32Array, npages: number): Steps<Errno> {
    yield* this.sched.spend(this.config.setupNs);
    for (let first = 0; first < npages; first += COPY_CHUNK_PAGES) {
      const end = Math.min(first + COPY_CHUNK_PAGES, npages);
      const errno = this.copyChunk(engine, src, dst, first, end);
      if (this.sched.reach(DeviceStep.copyChunk, this.config.device, first, end - first, errno)) yield STEP;
      if (this.sched.modelsTime) yield* this.passLinks(engine);
      else this.countLinks(engine);
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  /** Waits until the links have carried the bytes of the last chunk. */
  private *passLinks(engine: Engine): Steps<void> {
    for (let link = 0; link < engine.linkBytes.length; link++) {
      const bytes = engine.linkBytes[link];
      if (bytes === 0) continue;
      engine.linkBytes[link] = 0;
      this.sched.at(DeviceStep.linkStart, this.config.device, link, bytes);
      yield* this.interconnect.transfer(linkAt(link), bytes, engine.latencyPaid[link] !== 0);
      engine.latencyPaid[link] = 1;
      this.sched.at(DeviceStep.linkEnd, this.config.device, link, bytes);
    }
  }

  /** Where the copy itself is all the time that the bytes take. */
  private countLinks(engine: Engine): void {
    for (let link = 0; link < engine.linkBytes.length; link++) {
      const bytes = engine.linkBytes[link];
      if (bytes === 0) continue;
      engine.linkBytes[link] = 0;
      this.sched.at(DeviceStep.linkEnd, this.config.device, link, bytes);
    }
  }

  /** Copies entries `[first, end)` as runs. Addresses are resolved here, next to their use, never ahead of a step. */
  private copyChunk(engine: Engine, src: Uint32Array, dst: Uint32Array, first: number, end: number): Errno {
    const { from, to } = engine;
    from.open(src, first);
    to.open(dst, first);
    let at = first;
    while (at < end) {
      const toFrame = to.frame(at, end);
      if (toFrame === EMPTY_FRAME) {
        from.pass(at, to.end);
        at = to.end;
        continue;
      }
      const fromFrame = from.frame(at, end);
      if (toFrame < 0 || fromFrame < 0) return Errno.EIO;
      const npages = Math.min(from.end, to.end) - at;
      this.moveRun(engine, fromFrame, toFrame, npages);
      at += npages;
    }
    return Errno.OK;
  }

  private moveRun(engine: Engine, fromFrame: number, toFrame: number, npages: number): void {
    if (fromFrame === EMPTY_FRAME) {
      this.memory.zeroPages(pfn(toFrame), npages);
      this.counters.zeroPages += npages;
    } else {
      this.memory.copyPages(pfn(toFrame), pfn(fromFrame), npages);
    }
    this.counters.runs++;
    this.counters.pages += npages;
    this.countBytes(engine, fromFrame, toFrame, npages * PAGE_BYTES);
  }

  /** Zero fill crosses whatever leads to the destination; system to system passes through the device and is bound by the way back. */
  private countBytes(engine: Engine, fromFrame: number, toFrame: number, bytes: number): void {
    const from = engine.from.proto;
    const to = engine.to.proto;
    if (to === DmaProto.Peer) {
      this.counters.peerBytes += bytes;
      engine.linkBytes[linkToPeer(this.resolver.zoneOf(toFrame).deviceIndex)] += bytes;
    } else if (from === DmaProto.Peer) {
      this.counters.peerBytes += bytes;
      engine.linkBytes[linkFromPeer(this.resolver.zoneOf(fromFrame).deviceIndex)] += bytes;
    } else if (to === DmaProto.System) {
      this.counters.deviceToHostBytes += bytes;
      engine.linkBytes[Link.deviceToHost] += bytes;
    } else if (from === DmaProto.System) {
      this.counters.hostToDeviceBytes += bytes;
      engine.linkBytes[Link.hostToDevice] += bytes;
    } else {
      this.counters.localBytes += bytes;
      engine.linkBytes[Link.local] += bytes;
    }
  }
}
