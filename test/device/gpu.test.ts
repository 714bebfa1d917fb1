/** A whole GPU: requests of the host, kernels that stall on faults, pausing, and the integrity of data under invalidation. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { Errno, isErr } from '../../src/base/errno.js';
import { PAGE_WORDS, type Vpn, vpn } from '../../src/base/units.js';
import type { GpuContext } from '../../src/device/gpuContext.js';
import type { VramAllocationId } from '../../src/device/gpuPort.js';
import { gpuPteOfWord, gpuPtePage } from '../../src/device/gpuPte.js';
import { holdPage } from '../../src/memory/accessPort.js';
import { type DmaAddr, dmaPage } from '../../src/memory/dmaAddr.js';
import { defineStep, STEP, type Steps } from '../../src/sim/steps.js';
import { ACTOR, finish, linksOf, peerAddr, StepLog, settle, TestGpu, vramAddr } from './harness.js';

const BASE = vpn(0x7f0000000);
const Step = { block: defineStep('test.block') } as const;

/** Serves each fault by mapping page `BASE + i` to frame `i` of RAM. */
function mapOnFault(test: TestGpu, pages: number): void {
  test.sink.handler = function* (page, write): Steps<Errno> {
    yield* test.sched.sleep(100);
    const index = page - BASE;
    if (index < 0 || index >= pages) return Errno.EFAULT;
    // Another fault, of the other kind, may have been served meanwhile.
    if (test.gpu.pageTable.read(page) !== 0) test.gpu.zap(page, 1);
    return test.gpu.bind(page, 1, test.addrs(0, [test.mapRam(index)]), write);
  };
}

/** Adds 1 to word `context.index` of each page. */
function addOne(test: TestGpu, pages: number) {
  return function* (context: GpuContext): Steps<Errno> {
    for (let i = 0; i < pages; i++) {
      const base = yield* holdPage(context, vpn(BASE + i), true);
      if (isErr(base)) return base;
      context.memory.words[base + context.index]++;
      context.release();
      if (test.sched.reach(Step.block)) yield STEP;
      if (context.mustPause) yield* context.pass();
    }
    return Errno.OK;
  };
}

describe('Gpu', () => {
  it('runs a kernel on all its contexts, which stall on faults while others go on', () => {
    const test = new TestGpu(3, { contexts: 16 });
    mapOnFault(test, 20);
    expect(finish(test.sched, test.gpu.launch(addOne(test, 20)))).toBe(Errno.OK);
    for (let i = 0; i < 20; i++) {
      const first = test.memory.wordIndex(test.ram(i));
      expect([...test.memory.words.subarray(first, first + 17)]).toEqual([...Array(16).fill(1), 0]);
    }
    const snapshot = test.gpu.snapshot();
    expect(snapshot.faults.served).toBe(20);
    expect(snapshot.faults.raised).toBeGreaterThan(20);
    expect(snapshot.requests).toMatchObject({ kernels: 1, binds: 20, boundPages: 20 });
    expect(snapshot.mmu.systemAccesses).toBe(16 * 20);
    expect([snapshot.faultsInFlight, snapshot.copiesInFlight]).toEqual([0, 0]);
  });

  it('ends a context whose access is illegal with its errno, and lets the others finish', () => {
    const test = new TestGpu(1, { contexts: 4 });
    mapOnFault(test, 1);
    const ended: [number, Errno][] = [];
    const kernel = function* (context: GpuContext): Steps<Errno> {
      const page = vpn(BASE + (context.index === 2 ? 5 : 0));
      const base = yield* holdPage(context, page, false);
      const errno = isErr(base) ? base : Errno.OK;
      ended.push([context.index, errno]);
      return errno;
    };
    expect(finish(test.sched, test.gpu.launch(kernel))).toBe(Errno.EFAULT);
    expect(ended.sort()).toEqual([
      [0, Errno.OK],
      [1, Errno.OK],
      [2, Errno.EFAULT],
      [3, Errno.OK],
    ]);
  });

  it('ends a kernel with the first error of its contexts', () => {
    const test = new TestGpu(1, { contexts: 3 });
    const errnos = [Errno.EACCES, Errno.EFAULT, Errno.OK];
    const kernel = function* ({ index }: GpuContext): Steps<Errno> {
      yield* test.sched.sleep(10 * (3 - index));
      return errnos[index];
    };
    expect(finish(test.sched, test.gpu.launch(kernel))).toBe(Errno.EFAULT);
  });

  it('can be paused between blocks, with no context in between and none missing', () => {
    const test = new TestGpu(5, { contexts: 8 });
    mapOnFault(test, 10);
    let pauses = 0;
    function* pauseNowAndThen(): Steps<void> {
      for (let i = 0; i < 3; i++) {
        yield* test.sched.sleep(150);
        test.gate.close(() => {
          pauses++;
          const sum = sumOf(test, 10);
          expect(test.gpu.snapshot().faultsInFlight).toBe(0);
          test.sched.spawn(ACTOR, 'reopen', reopen(sum));
        });
        while (pauses <= i) yield* test.sched.sleep(10);
      }
    }
    function* reopen(sum: number): Steps<void> {
      yield* test.sched.sleep(5);
      expect(sumOf(test, 10)).toBe(sum);
      test.gate.open();
    }
    test.sched.spawn(ACTOR, 'pause', pauseNowAndThen());
    test.sched.spawn(ACTOR, 'launch', test.gpu.launch(addOne(test, 10)));
    settle(test.sched);
    expect(pauses).toBe(3);
    // A kernel that has ended keeps nobody waiting.
    let parked = false;
    test.gate.close(() => {
      parked = true;
    });
    expect(parked).toBe(true);
    expect(sumOf(test, 10)).toBe(80);
  });

  it('loses no store when pages move, under any order of steps: zap, invalidate, copy, map elsewhere', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const pages = 4;
        const test = new TestGpu(seed, { contexts: 4, tlbEntries: 4, tlbWays: 2 });
        const home = moveOnFault(test);
        const kernel = function* (context: GpuContext): Steps<Errno> {
          for (let i = 0; i < 30; i++) {
            const page = vpn(BASE + (test.sched.randomU32() % pages));
            const base = yield* holdPage(context, page, true);
            if (isErr(base)) return base;
            context.memory.words[base]++;
            context.release();
            if (test.sched.reach(Step.block)) yield STEP;
          }
          return Errno.OK;
        };
        test.sched.spawn(ACTOR, 'mover', mover(test, home, pages));
        expect(finish(test.sched, test.gpu.launch(kernel))).toBe(Errno.OK);
        let sum = 0;
        for (let i = 0; i < pages; i++)
          sum += test.memory.words[test.memory.wordIndex(home.frameOf(vpn(BASE + i)))];
        expect(sum).toBe(4 * 30);
      }),
      { numRuns: 60, seed: 20250101 },
    );
  });

  it('checks what it is asked to bind', () => {
    const test = new TestGpu();
    const bind = (addr: number) => test.gpu.bind(BASE, 1, test.addrs(0, [addr]), true);
    expect(() => bind(vramAddr(test.vramPfn(0, 0)))).toThrow(/which is free/);
    expect(() => bind(vramAddr(test.vramPfn(1, 0)))).toThrow(AssertionFailure);
    expect(() => bind(peerAddr(test.vramPfn(0, 0)))).toThrow(/not VRAM of a peer/);
    expect(() => bind(peerAddr(test.ram(0)))).toThrow(/not VRAM of a peer/);
    expect(() => bind(0)).toThrow(AssertionFailure);
    expect(() => bind(peerAddr(test.vramPfn(1, 0)))).toThrow(/memory of a peer that is not mapped for it/);
    expect(bind(test.mapPeer(1, 0))).toBe(Errno.OK);
  });

  it('names its requests as steps', () => {
    const test = new TestGpu();
    const log = new StepLog('device.');
    test.sched.observer = log;
    test.gpu.bind(BASE, 2, test.addrs(0, [test.mapRam(0), test.mapRam(1)]), true);
    test.gpu.mmu.tryPage(BASE, true);
    test.gpu.zap(BASE, 8);
    test.gpu.invalidateTlb(BASE, 8);
    expect(log.lines).toEqual([`bind 0 ${BASE} 2 0`, `zap 0 ${BASE} 8 2`, `tlbInvalidate 0 ${BASE} 8 1`]);
    expect(test.gpu.requests).toMatchObject({
      zaps: 1,
      zappedPages: 2,
      tlbInvalidations: 1,
      tlbEntriesInvalidated: 1,
    });
  });

  it('lists its state as plain data', () => {
    const test = new TestGpu();
    const id = test.gpu.allocVram(3, test.array(1)) as VramAllocationId;
    const frames = [...test.arrays.view(test.array(1)).subarray(0, 3)];
    const addrs = test.addrs(
      0,
      frames.map((frame) => vramAddr(frame)),
    );
    test.gpu.bind(BASE, 3, addrs, true);
    test.gpu.mmu.tryPage(vpn(BASE + 1), false);
    const snapshot = structuredClone(test.gpu.snapshot());
    expect([...snapshot.ptePages]).toEqual([BASE, BASE + 1, BASE + 2]);
    expect([...snapshot.ptes].map((pte) => gpuPtePage(gpuPteOfWord(pte)))).toEqual(frames);
    expect([[...snapshot.tlbPages], [...snapshot.tlbPtes]]).toEqual([[BASE + 1], [snapshot.ptes[1]]]);
    expect([...snapshot.vramRuns]).toEqual([id, frames[0], 3]);
    expect(snapshot.vram).toEqual({ allocations: 1, releases: 0, failures: 0, usedPages: 3, freePages: 509 });
    test.gpu.releaseVram(id);
    expect([...test.gpu.snapshot().vramRuns]).toEqual([]);
  });

  it('tells how much of its VRAM is in use, whenever that changes', () => {
    const test = new TestGpu();
    const log = new StepLog('device.vramUsed');
    test.sched.observer = log;
    const id = test.gpu.allocVram(3, test.array(1)) as VramAllocationId;
    test.gpu.releaseVram(id);
    expect(log.lines).toEqual([' 0 3', ' 0 0']);
  });

  it('counts no pages of a bind for which there are no tables', () => {
    const test = new TestGpu(1, {}, 4);
    const bind = (page: number) => test.gpu.bind(vpn(page), 1, test.addrs(0, [test.mapRam(0)]), true);
    expect([bind(BASE), bind(2 ** 30)]).toEqual([Errno.OK, Errno.ENOMEM]);
    expect(test.gpu.requests).toMatchObject({ binds: 2, boundPages: 1, bindErrors: 1 });
  });

  it('takes modelled time for launches', () => {
    const costs = {
      faultBatchNs: 0,
      bindPageNs: 2,
      bindNs: 30,
      tlbInvalidateNs: 0,
      copySetupNs: 0,
      kernelLaunchNs: 5000,
    };
    const test = new TestGpu(1, { costs, links: linksOf(2) });
    finish(
      test.sched,
      test.gpu.launch(
        function* (context) {
          yield* context.spend(100 * context.index);
          return Errno.OK;
        },
        'idle',
        3,
      ),
    );
    expect(test.sched.now()).toBe(5200);
    expect(test.gpu.bindCostNs(512)).toBe(30 + 1024);
  });
});

function sumOf(test: TestGpu, pages: number): number {
  let sum = 0;
  for (let i = 0; i < pages; i++) {
    const first = test.memory.wordIndex(test.ram(i));
    for (let word = first; word < first + PAGE_WORDS; word++) sum += test.memory.words[word];
  }
  return sum;
}

/** Where each page is now: a host in miniature. */
interface Home {
  frameOf(page: Vpn): number;
  addrOf(page: Vpn): DmaAddr;
  moveTo(page: Vpn, frame: number): void;
  readonly moving: Set<Vpn>;
}

/** Page `BASE + i` starts in frame `i` of RAM; a fault maps it where it is, unless it is moving. */
function moveOnFault(test: TestGpu): Home {
  const addrs = new Map<Vpn, DmaAddr>();
  const frames = new Map<Vpn, number>();
  const moving = new Set<Vpn>();
  const home: Home = {
    frameOf: (page) => frames.get(page) ?? test.ram(page - BASE),
    addrOf(page) {
      const known = addrs.get(page);
      if (known !== undefined) return known;
      const addr = test.mapRam(home.frameOf(page) - test.ram(0));
      addrs.set(page, addr);
      return addr;
    },
    moveTo(page, frame) {
      test.mapper.unmap(dmaPage(home.addrOf(page)));
      addrs.delete(page);
      frames.set(page, frame);
    },
    moving,
  };
  test.sink.handler = function* (page): Steps<Errno> {
    while (moving.has(page)) yield* test.sched.sleep(20);
    return test.gpu.bind(page, 1, test.addrs(0, [home.addrOf(page)]), true);
  };
  return home;
}

/** Moves pages about in RAM with the GPU's own copy engine, and spoils the frames that they leave. */
function* mover(test: TestGpu, home: Home, pages: number): Steps<void> {
  for (let i = 0; i < 25; i++) {
    const page = vpn(BASE + (i % pages));
    const from = home.frameOf(page);
    const to = test.ram(100 + i);
    home.moving.add(page);
    test.gpu.zap(page, 1);
    if (test.sched.reach(Step.block)) yield STEP;
    test.gpu.invalidateTlb(page, 1);
    if (test.sched.reach(Step.block)) yield STEP;
    const target = test.mapRam(100 + i);
    const src = test.addrs(2, [home.addrOf(page)]);
    const dst = test.addrs(3, [target]);
    const errno = yield* test.gpu.copy(src, dst, 1);
    if (errno !== Errno.OK) throw new Error(`copy failed: ${errno}`);
    test.mapper.unmap(dmaPage(target));
    home.moveTo(page, to);
    const first = test.memory.wordIndex(from);
    test.memory.words.fill(-1, first, first + PAGE_WORDS);
    home.moving.delete(page);
    if (test.sched.reach(Step.block)) yield STEP;
  }
}
