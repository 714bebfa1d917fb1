/** The copy engine: every byte goes where its address says, whatever runs the addresses form and whoever copies at the same time. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { PAGE_BYTES } from '../../src/base/units.js';
import { COPY_CHUNK_PAGES, CopyEngine } from '../../src/device/copyEngine.js';
import { FifoInterconnect } from '../../src/device/fifoInterconnect.js';
import {
  type Interconnect,
  Link,
  type LinkId,
  linkCount,
  linkFromPeer,
  linkToPeer,
} from '../../src/device/interconnect.js';
import { Iommu } from '../../src/device/iommu.js';
import { IommuMapper } from '../../src/device/iommuMapper.js';
import { DmaDir, DmaProto, dmaAddr } from '../../src/memory/dmaAddr.js';
import { pfn } from '../../src/memory/pfn.js';
import type { PhysicalMemory } from '../../src/memory/physicalMemory.js';
import type { Steps } from '../../src/sim/steps.js';
import type { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';
import {
  ACTOR,
  executor,
  finish,
  linksOf,
  makeMemory,
  peerAddr,
  StepLog,
  settle,
  systemAddr,
  vramAddr,
} from './harness.js';

const RAM = 512;
const VRAM0 = 1024;
const VRAM1 = 1536;
const up = Link.hostToDevice;
const down = Link.deviceToHost;

/** The engine of device 0, beside RAM and a peer of 512 frames each, with zones that touch. */
class Bench {
  readonly sched;
  readonly memory: PhysicalMemory = makeMemory(512, 512, 3);
  readonly iommu = Iommu.allocate(600, 4096);
  readonly mapper = new IommuMapper(this.iommu, 0);
  readonly engine: CopyEngine;

  constructor(seed = 1, engines = 2, setupNs = 0, latencyNs = 0) {
    this.sched = executor(seed);
    const links = linksOf(3, { bandwidthBytesPerNs: 4, latencyNs });
    const config = { device: 0, engines, setupNs, links: linkCount(links) };
    const interconnect = new FifoInterconnect(this.sched, links);
    this.engine = new CopyEngine(config, this.sched, this.memory, this.iommu, interconnect);
  }

  /** The address of a frame as device 0 sees it; RAM and memory of peers get mapped. */
  addr(frame: number, dir: DmaDir = DmaDir.Bidirectional): number {
    if (frame >= VRAM1) {
      this.iommu.peers.map(frame, 1, dir);
      return peerAddr(frame);
    }
    return frame >= VRAM0 ? vramAddr(frame) : systemAddr(this.mapper.map(pfn(frame), dir), dir);
  }

  addrs(frames: readonly number[]): Uint32Array {
    return Uint32Array.from(frames, (frame) => (frame === 0 ? 0 : this.addr(frame)));
  }

  copy(src: readonly number[], dst: readonly number[]): Errno {
    return finish(this.sched, this.engine.copy(this.addrs(src), this.addrs(dst), src.length));
  }

  /** Gives each frame its own content: its number in each word. */
  stamp(): void {
    for (let frame = RAM; frame < this.memory.layout.totalPages; frame++) this.set(frame, frame);
  }

  set(frame: number, value: number): void {
    this.memory.words.fill(value, this.memory.wordIndex(frame), this.memory.wordIndex(frame + 1));
  }

  /** The stamp that a whole frame carries; -1 when its words differ. */
  stampOf(frame: number): number {
    const first = this.memory.wordIndex(frame);
    const { words } = this.memory;
    for (let at = first; at < first + PAGE_BYTES / 4; at++) {
      if (words[at] !== words[first]) return -1;
    }
    return words[first];
  }
}

function range(first: number, npages: number): number[] {
  return Array.from({ length: npages }, (_, i) => first + i);
}

/** Sees which transfers pass at the same time. */
class TransferProbe implements Interconnect {
  readonly started: number[] = [];
  most = 0;
  private passing = 0;

  constructor(private readonly sched: VirtualExecutor) {}

  *transfer(_link: LinkId, bytes: number): Steps<void> {
    this.started.push(bytes / PAGE_BYTES);
    this.most = Math.max(this.most, ++this.passing);
    yield* this.sched.sleep(1000);
    this.passing--;
  }
}

describe('CopyEngine', () => {
  it('does what copying page by page does, over random arrays with holes, zero fill and runs of all lengths', () => {
    const stretch = fc.record({
      npages: fc.integer({ min: 1, max: 90 }),
      srcKind: fc.constantFrom(0, RAM, VRAM0, VRAM1, VRAM1 + 400),
      dstKind: fc.constantFrom(0, RAM, VRAM0, VRAM1, VRAM1 + 400),
      srcAt: fc.nat(160),
      dstAt: fc.nat(160),
      shuffled: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(stretch, { minLength: 1, maxLength: 5, size: 'max' }),
        fc.nat(),
        (stretches, seed) => {
          const bench = new Bench(seed);
          bench.stamp();
          const src: number[] = [];
          const dst: number[] = [];
          const written = new Set<number>();
          for (const { npages, srcKind, dstKind, srcAt, dstAt, shuffled } of stretches) {
            // Sources lie in the lower half of each stretch of frames, destinations in the upper, so none is both.
            for (let i = 0; i < npages; i++) {
              const step = shuffled ? (i * 7) % npages : i;
              const to = dstKind === 0 ? 0 : dstKind + 256 + ((dstAt + step) % 112);
              if (written.has(to)) continue;
              src.push(srcKind === 0 ? 0 : srcKind + ((srcAt + step) % 144));
              dst.push(to);
              if (to !== 0) written.add(to);
            }
          }
          fc.pre(src.length > 0);
          expect(bench.copy(src, dst)).toBe(Errno.OK);
          const naive = new Map<number, number>();
          dst.forEach((to, i) => {
            naive.set(to, src[i]);
          });
          for (let frame = RAM; frame < bench.memory.layout.totalPages; frame++) {
            const stamp = bench.stampOf(frame);
            if (stamp !== (naive.get(frame) ?? frame)) throw new Error(`frame ${frame} holds ${stamp}`);
          }
          const { counters } = bench.engine;
          expect(counters.pages).toBe(dst.filter((to) => to !== 0).length);
          expect(counters.zeroPages).toBe(dst.filter((to, i) => to !== 0 && src[i] === 0).length);
          const { hostToDeviceBytes, deviceToHostBytes, peerBytes, localBytes } = counters;
          expect(hostToDeviceBytes + deviceToHostBytes + peerBytes + localBytes).toBe(
            counters.pages * PAGE_BYTES,
          );
        },
      ),
      { numRuns: 15, seed: 20250101 },
    );
  });

  it('copies what is contiguous on both sides at once, in chunks between steps', () => {
    const bench = new Bench();
    bench.stamp();
    const log = new StepLog('device.');
    bench.sched.observer = log;
    expect(bench.copy(range(RAM, 150), range(VRAM0, 150))).toBe(Errno.OK);
    expect(bench.engine.counters.runs).toBe(3);
    expect(COPY_CHUNK_PAGES).toBe(64);
    expect(log.lines.filter((line) => line.startsWith('copyChunk'))).toEqual([
      'copyChunk 0 0 64 0',
      'copyChunk 0 64 64 0',
      'copyChunk 0 128 22 0',
    ]);
    // A hole on one side and a jump on the other split runs.
    bench.copy([...range(RAM, 4), ...range(RAM + 9, 4)], [VRAM0, VRAM0 + 1, 0, ...range(VRAM0 + 3, 5)]);
    expect(bench.engine.counters.runs).toBe(3 + 3);
  });

  it('takes one address for all pages of a large folio, on either side, and looks at each of its I/O pages', () => {
    const bench = new Bench();
    bench.stamp();
    // Two I/O mappings in a row, as one address of 128 pages would have them; the second leads elsewhere.
    const iova = bench.mapper.map(pfn(RAM), DmaDir.Bidirectional, 64);
    expect(bench.mapper.map(pfn(RAM + 128), DmaDir.Bidirectional, 64)).toBe(iova + 64);
    const src = new Uint32Array(130);
    src[0] = vramAddr(VRAM0 + 300);
    src[1] = dmaAddr(DmaProto.System, iova, DmaDir.Bidirectional, 7);
    src[129] = vramAddr(VRAM0 + 301);
    const dst = new Uint32Array(130);
    dst[0] = vramAddr(VRAM0, 7);
    for (const i of [128, 129]) dst[i] = vramAddr(VRAM0 + 200 + i);
    expect(finish(bench.sched, bench.engine.copy(src, dst, 130))).toBe(Errno.OK);
    const seen = [0, 1, 64, 65, 127].map((i) => bench.stampOf(VRAM0 + i));
    expect(seen).toEqual([VRAM0 + 300, RAM, RAM + 63, RAM + 128, RAM + 190]);
    expect([328, 329].map((i) => bench.stampOf(VRAM0 + i))).toEqual([RAM + 191, VRAM0 + 301]);
  });

  it('knows the pages behind a large address whose first page nobody wants', () => {
    const bench = new Bench();
    bench.stamp();
    const large = Uint32Array.of(vramAddr(VRAM0, 2), 0, 0, 0);
    const dst = bench.addrs([0, RAM, 0, RAM + 1]);
    expect(finish(bench.sched, bench.engine.copy(large, dst, 4))).toBe(Errno.OK);
    expect([bench.stampOf(RAM), bench.stampOf(RAM + 1)]).toEqual([VRAM0 + 1, VRAM0 + 3]);
  });

  it('forgets the large folios of the request before', () => {
    const bench = new Bench(1, 1);
    bench.stamp();
    const iova = bench.mapper.map(pfn(RAM), DmaDir.Bidirectional, 4);
    const large = Uint32Array.of(dmaAddr(DmaProto.System, iova, DmaDir.Bidirectional, 2), 0, 0, 0);
    expect(finish(bench.sched, bench.engine.copy(large, bench.addrs(range(VRAM0, 4)), 4))).toBe(Errno.OK);
    expect(bench.copy(range(RAM + 100, 4), range(VRAM0 + 50, 4))).toBe(Errno.OK);
    expect(range(VRAM0 + 50, 4).map((frame) => bench.stampOf(frame))).toEqual(range(RAM + 100, 4));
  });

  it('looks at each frame of a large folio of a peer', () => {
    const bench = new Bench();
    bench.stamp();
    bench.iommu.peers.map(VRAM1, 4, DmaDir.Bidirectional);
    bench.iommu.peers.unmap(VRAM1 + 2, 1, DmaDir.Bidirectional);
    const large = Uint32Array.of(dmaAddr(DmaProto.Peer, VRAM1, DmaDir.Bidirectional, 2), 0, 0, 0);
    expect(finish(bench.sched, bench.engine.copy(large, bench.addrs(range(VRAM0, 4)), 4))).toBe(Errno.EIO);
    expect(range(VRAM0, 4).map((frame) => bench.stampOf(frame))).toEqual([
      VRAM1,
      VRAM1 + 1,
      VRAM0 + 2,
      VRAM0 + 3,
    ]);
  });

  it('takes no large folio for one page of the run before it', () => {
    const bench = new Bench();
    bench.stamp();
    const single = bench.addr(RAM);
    const next = bench.mapper.map(pfn(RAM + 1), DmaDir.Bidirectional, 2);
    const src = Uint32Array.of(single, dmaAddr(DmaProto.System, next, DmaDir.Bidirectional, 1), 0);
    expect(finish(bench.sched, bench.engine.copy(src, bench.addrs(range(VRAM0, 3)), 3))).toBe(Errno.OK);
    expect(range(VRAM0, 3).map((frame) => bench.stampOf(frame))).toEqual(range(RAM, 3));
  });

  it('never takes the end of one zone and the start of the next for one run', () => {
    const bench = new Bench();
    bench.stamp();
    // The last frame of device 1 and the first of device 2, both peers.
    expect(bench.copy([2047, 2048], [VRAM0, VRAM0 + 1])).toBe(Errno.OK);
    expect([bench.stampOf(VRAM0), bench.stampOf(VRAM0 + 1), bench.engine.counters.runs]).toEqual([
      2047, 2048, 2,
    ]);
    expect(bench.copy(range(VRAM0, 2), [2047, 2048])).toBe(Errno.OK);
  });

  it('accounts bytes to the path that they took', () => {
    const bench = new Bench();
    bench.copy(range(RAM, 1), range(VRAM0, 1));
    bench.copy(range(VRAM0, 2), range(RAM, 2));
    bench.copy(range(VRAM0, 3), range(VRAM1, 3));
    bench.copy(range(VRAM1, 4), range(VRAM0, 4));
    bench.copy(range(VRAM0, 5), range(VRAM0 + 10, 5));
    bench.copy(Array(6).fill(0), range(VRAM0, 6));
    bench.copy(Array(7).fill(0), range(RAM, 7));
    const { hostToDeviceBytes, deviceToHostBytes, peerBytes, localBytes } = bench.engine.counters;
    const pages = [hostToDeviceBytes, deviceToHostBytes, peerBytes, localBytes].map(
      (bytes) => bytes / PAGE_BYTES,
    );
    expect(pages).toEqual([1, 2 + 7, 3 + 4, 5 + 6]);
  });

  it('puts the bytes of each chunk on the link that they take, a peer in its direction, with and without modelled time', () => {
    for (const modelsTime of [true, false]) {
      const bench = new Bench(1, 1);
      Object.assign(bench.sched, { modelsTime });
      const log = new StepLog('device.linkEnd');
      bench.sched.observer = log;
      const paths = [
        [VRAM0, VRAM1, 3],
        [VRAM1, VRAM0, 4],
        [RAM, VRAM0, 65],
        [VRAM0, RAM, 1],
        [VRAM0, VRAM0 + 10, 5],
      ] as const;
      for (const [src, dst, npages] of paths) bench.copy(range(src, npages), range(dst, npages));
      const links = [linkToPeer(1), linkFromPeer(1), up, up, down, Link.local];
      const pages = [3, 4, 64, 1, 1, 5];
      expect(log.lines).toEqual(links.map((link, i) => ` 0 ${link} ${pages[i] * PAGE_BYTES}`));
    }
  });

  it('reports -EIO for a page that is not mapped, or not for this direction, and copies nothing further', () => {
    const cases: [string, (bench: Bench, src: Uint32Array, dst: Uint32Array) => void][] = [
      ['source unmapped', (bench, src) => bench.mapper.unmap(src[100] >>> 10)],
      ['memory of a peer that is not mapped', (_bench, src) => src.set([peerAddr(VRAM1 + 5)], 100)],
      ['read of a write-only page', (bench, src) => src.set([bench.addr(RAM, DmaDir.FromDevice)], 100)],
      [
        'write of a read-only page',
        (bench, _src, dst) => dst.set([bench.addr(RAM + 300, DmaDir.ToDevice)], 100),
      ],
    ];
    for (const [name, spoil] of cases) {
      const bench = new Bench();
      bench.stamp();
      const src = bench.addrs(range(RAM, 200));
      const dst = bench.addrs(range(VRAM0, 200));
      spoil(bench, src, dst);
      expect(finish(bench.sched, bench.engine.copy(src, dst, 200)), name).toBe(Errno.EIO);
      const copied = range(0, 200).filter((i) => bench.stampOf(VRAM0 + i) === RAM + i);
      expect(copied, name).toEqual(range(0, 100));
      expect([bench.engine.counters.errors, bench.engine.pending]).toEqual([1, 0]);
    }
  });

  it('resolves addresses when it gets to them, so an unmapping during the copy is caught', () => {
    const bench = new Bench();
    const src = bench.addrs(range(RAM, 128));
    const dst = bench.addrs(range(VRAM0, 128));
    const steps = bench.engine.copy(src, dst, 128);
    function* copyAndUnmap(): Steps<Errno> {
      for (let chunks = 0; ; ) {
        const next = steps.next();
        if (next.done) return next.value;
        if (++chunks === 1) bench.mapper.unmap(src[127] >>> 10);
        yield next.value;
      }
    }
    expect(finish(bench.sched, copyAndUnmap())).toBe(Errno.EIO);
    expect(bench.engine.counters.pages).toBe(127);
  });

  it('asserts that addresses are the kind of memory that they claim to be', () => {
    const wrong: [number, number][] = [
      [vramAddr(VRAM1), vramAddr(VRAM0)],
      [vramAddr(VRAM0), vramAddr(RAM)],
      [peerAddr(VRAM0), vramAddr(VRAM0 + 1)],
      [vramAddr(VRAM0), peerAddr(RAM)],
    ];
    for (const [src, dst] of wrong) {
      const bench = new Bench();
      const copy = bench.engine.copy(Uint32Array.of(src), Uint32Array.of(dst), 1);
      expect(() => finish(bench.sched, copy)).toThrow(AssertionFailure);
    }
    const bench = new Bench();
    const leadsToVram = systemAddr(bench.mapper.map(pfn(VRAM1), DmaDir.Bidirectional));
    const copy = bench.engine.copy(Uint32Array.of(leadsToVram), Uint32Array.of(vramAddr(VRAM0)), 1);
    expect(() => finish(bench.sched, copy)).toThrow(/does not lead to RAM/);
  });

  it('works on as many requests as it has engines, in the order of the requests', () => {
    for (const engines of [1, 2, 3]) {
      for (let seed = 0; seed < 10; seed++) {
        const bench = new Bench(seed, engines);
        const probe = new TransferProbe(bench.sched);
        const config = { device: 0, engines, setupNs: 0, links: 9 };
        const engine = new CopyEngine(config, bench.sched, bench.memory, bench.iommu, probe);
        // Request i has one chunk of i + 1 pages, by which the probe knows it; they come a nanosecond apart.
        function* request(i: number): Steps<void> {
          yield* bench.sched.sleep(i);
          const frames = [range(RAM + 10 * i, i + 1), range(VRAM0 + 10 * i, i + 1)];
          yield* engine.copy(bench.addrs(frames[0]), bench.addrs(frames[1]), i + 1);
        }
        for (let i = 0; i < 7; i++) bench.sched.spawn(ACTOR, `copy ${i}`, request(i));
        settle(bench.sched);
        expect(probe.started).toEqual(range(1, 7));
        expect(probe.most).toBe(engines);
        expect(engine.pending).toBe(0);
      }
    }
  });

  it('lets nobody overtake a request that waits, not even who has just freed the engine', () => {
    const bench = new Bench();
    const probe = new TransferProbe(bench.sched);
    const config = { device: 0, engines: 1, setupNs: 0, links: 9 };
    const engine = new CopyEngine(config, bench.sched, bench.memory, bench.iommu, probe);
    function* requests(startNs: number, ...pages: number[]): Steps<void> {
      yield* bench.sched.sleep(startNs);
      for (const n of pages) yield* engine.copy(bench.addrs(range(RAM, n)), bench.addrs(range(VRAM0, n)), n);
    }
    bench.sched.spawn(ACTOR, 'one after another', requests(0, 1, 3));
    bench.sched.spawn(ACTOR, 'waiting', requests(1, 2));
    settle(bench.sched);
    expect(probe.started).toEqual([1, 2, 3]);
  });

  it('takes the time of its links: latency once per request, and shared bandwidth', () => {
    const alone = new Bench(1, 2, 100, 1000);
    alone.copy(range(RAM, 256), range(VRAM0, 256));
    const passNs = (256 * PAGE_BYTES) / 4;
    expect(alone.sched.now()).toBe(100 + 1000 + passNs);
    expect(alone.engine.counters.simulatedNs).toBe(alone.sched.now());
    alone.copy(range(RAM, 256), range(VRAM0, 256));
    expect(alone.sched.now()).toBe(2 * (100 + 1000 + passNs));

    const shared = new Bench(1, 2, 0, 0);
    for (const first of [0, 128]) {
      const src = shared.addrs(range(RAM + first, 128));
      const dst = shared.addrs(range(VRAM0 + first, 128));
      shared.sched.spawn(ACTOR, `copy ${first}`, shared.engine.copy(src, dst, 128));
    }
    settle(shared.sched);
    expect(shared.sched.now()).toBe(passNs);

    const duplex = new Bench(1, 2, 0, 0);
    const there = [duplex.addrs(range(RAM, 256)), duplex.addrs(range(VRAM0, 256))] as const;
    const back = [duplex.addrs(range(VRAM0 + 256, 256)), duplex.addrs(range(RAM + 256, 256))] as const;
    for (const [src, dst] of [there, back])
      duplex.sched.spawn(ACTOR, 'copy', duplex.engine.copy(src, dst, 256));
    settle(duplex.sched);
    expect(duplex.sched.now()).toBe(passNs);
  });

  it('counts the time that requests are copied, and not that they wait for an engine', () => {
    const bench = new Bench(1, 1);
    for (const first of [0, 64, 128]) {
      const src = bench.addrs(range(RAM + first, 64));
      const dst = bench.addrs(range(VRAM0 + first, 64));
      bench.sched.spawn(ACTOR, `copy ${first}`, bench.engine.copy(src, dst, 64));
    }
    settle(bench.sched);
    expect(bench.sched.now()).toBe((3 * 64 * PAGE_BYTES) / 4);
    expect(bench.engine.counters.simulatedNs).toBe(bench.sched.now());
  });
});
