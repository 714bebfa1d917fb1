/** A random run of a whole small system: everything that one seed decides, and the checks that must hold whatever it decides. */

import { assert } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import type { PeerLinks } from '../../src/driver/peerLinks.js';
import { migrateToFaulting, preferDevice, stayInRam } from '../../src/driver/placement.js';
import type { AccessPort } from '../../src/memory/accessPort.js';
import { Madvise } from '../../src/mm/area/madvise.js';
import { MapFlag, Prot } from '../../src/mm/area/mmap.js';
import { PteKind, pteKind, ptePfn } from '../../src/mm/table/pte.js';
import { Random } from '../../src/sim/random.js';
import { STEP, type Steps } from '../../src/sim/steps.js';
import { increment, load, System, type SystemOptions } from './harness.js';

const START = 0x1000;
const PAGES = 48;
/** Where mremap puts things. */
const ELSEWHERE = 0x2000;
const RW = Prot.Read | Prot.Write;
const WORDS = 16;

const COSTS = { cpuFaultNs: 500, migratePageNs: 100, hmmPageNs: 10, tlbShootdownNs: 200, syscallNs: 100 };
const GPU_COSTS = {
  faultBatchNs: 1000,
  bindPageNs: 10,
  bindNs: 100,
  tlbInvalidateNs: 500,
  copySetupNs: 200,
  kernelLaunchNs: 0,
};

export interface RandomRunOptions {
  /** Memory is thrown away, unmapped, moved and mapped afresh: contents are then bounded, not exact. */
  readonly destroys: boolean;
  /** DMA mappings and VRAM allocations fail, and pages are pinned, now and then. */
  readonly fails: boolean;
}

/** Each actor counts in words of its own; no other store reaches them, so every loss shows. */
export class RandomRun {
  readonly system: System;
  private readonly random: Random;
  /** Increments that succeeded, by page and word. */
  private readonly counts = new Map<number, number>();

  constructor(
    readonly seed: number,
    private readonly options: RandomRunOptions,
  ) {
    this.random = new Random(seed, 7);
    this.system = new System(this.systemOptions());
    if (options.fails) this.injectFailures();
  }

  run(): void {
    const { system } = this;
    system.map(START, PAGES);
    system.runAll([...this.bodies()]);
    this.stopFailing();
    system.checkAtRest();
    system.run(this.verify());
    system.checkAtRest();
    system.tearDown();
  }

  private pick<T>(...choices: readonly T[]): T {
    return choices[this.random.below(choices.length)];
  }

  private systemOptions(): SystemOptions {
    const timed = this.pick(true, false);
    const time = { costs: COSTS, gpuCosts: GPU_COSTS, link: { bandwidthBytesPerNs: 16, latencyNs: 500 } };
    return {
      seed: this.seed,
      devices: this.pick(1, 2, 3),
      cpuThreads: 2,
      layout: this.pick('n1', 'n1-shared-fault', 'one-to-one'),
      interconnect: this.pick<PeerLinks>('peer', 'none', [
        [0, 1],
        [1, 2],
      ]),
      clearVram: this.pick(true, false),
      policy: this.pick(migrateToFaulting(false), migrateToFaulting(true), stayInRam, preferDevice(0)),
      vramPages: this.pick(16, 32, 128),
      chunkPages: this.pick([16, 1], [8, 4, 1], [32, 8, 1], [1]),
      notifierPages: this.pick(16, 32, 64),
      pagesPerStep: this.pick(1, 4, 64),
      checkPagesThreshold: this.pick(0, 8),
      ringCapacity: this.pick(4, 64),
      timesliceNs: timed ? this.pick(0, 5000) : 0,
      ...(timed ? time : {}),
    };
  }

  private *bodies(): Generator<Steps<void>> {
    const { system, options } = this;
    for (const [i, cpu] of system.cpus.entries()) yield this.count(cpu, i);
    for (const device of system.devices.keys()) {
      for (const context of [0, 1]) {
        const word = 2 + 2 * device + context;
        yield this.count(system.context(device, context), word);
      }
    }
    yield this.toggleRights();
    yield this.prefetch();
    if (this.pick(true, false)) yield this.evict();
    if (this.pick(true, false)) yield this.unbind();
    if (options.destroys) yield this.destroy();
    if (options.fails) yield this.pin();
  }

  /** Loads and increments in random pages; a load sees exactly the actor's own increments, or fewer where memory is destroyed. */
  private *count(port: AccessPort, word: number): Steps<void> {
    const random = new Random(this.seed, 100 + word);
    for (let i = 0; i < 50; i++) {
      const page = START + random.below(PAGES);
      if (random.below(3) === 0) {
        this.check(page, word, yield* load(port, page, word));
        continue;
      }
      const errno = yield* increment(port, page, word);
      const key = page * WORDS + word;
      if (errno === Errno.OK) this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
      else this.checkErrno(errno);
    }
  }

  private check(page: number, word: number, found: number): void {
    const expected = this.counts.get(page * WORDS + word) ?? 0;
    const { destroys } = this.options;
    if (found < 0) this.checkErrno(found);
    else
      assert(
        destroys ? found <= expected : found === expected,
        () => `page ${page} word ${word}: ${found}, not ${expected}`,
      );
  }

  /** Areas are read-only or gone at times; a link in a reservation of I/O pages that fails ends its fault. */
  private checkErrno(errno: number): void {
    const allowed: number[] = [Errno.EPERM, Errno.EFAULT];
    if (this.options.fails) allowed.push(Errno.ENOMEM);
    assert(allowed.includes(errno), () => `an access ended with ${errno}`);
  }

  private *toggleRights(): Steps<void> {
    const random = new Random(this.seed, 99);
    const [, cpu] = this.system.cpus;
    for (let i = 0; i < 10; i++) {
      const at = random.below(PAGES);
      const npages = 1 + random.below(PAGES - at);
      yield* cpu.mprotect(vpn(START + at), npages, random.below(4) === 0 ? Prot.None : Prot.Read);
      yield* cpu.mprotect(vpn(START + at), npages, RW);
    }
  }

  private *prefetch(): Steps<void> {
    const random = new Random(this.seed, 98);
    const [, cpu] = this.system.cpus;
    for (let i = 0; i < 3; i++) {
      const target = random.below(this.system.devices.length + 1) - 1;
      yield* cpu.prefetch(vpn(START + random.below(PAGES / 2)), 16, target, 1 + random.below(3));
    }
  }

  private *evict(): Steps<void> {
    const { gpus, vram } = this.system.coordinator;
    for (let i = 0; i < 6; i++) {
      for (const gpu of gpus) yield* vram.evictAll(gpu);
    }
  }

  /** A device goes while others use its memory. Pages that somebody holds all the time keep it. */
  private *unbind(): Steps<void> {
    const { gpus, gpuUnbind } = this.system.coordinator;
    const random = new Random(this.seed, 94);
    const gpu = gpus[random.below(gpus.length)];
    for (let steps = random.below(3000); steps > 0; steps--) yield STEP;
    const errno = yield* gpuUnbind.unbind(gpu);
    assert(errno === Errno.OK || this.options.fails, () => `unbind ended with ${errno}`);
    const isEmpty = gpu.dpagemap === null && gpu.allocations.size === 0;
    assert(isEmpty || errno !== Errno.OK, 'unbound, but its memory is in use');
  }

  private *destroy(): Steps<void> {
    const random = new Random(this.seed, 97);
    const [, cpu] = this.system.cpus;
    for (let i = 0; i < 12; i++) {
      const at = random.below(PAGES);
      const start = vpn(START + at);
      const npages = 1 + random.below(PAGES - at);
      const what = random.below(4);
      if (what === 0) yield* cpu.madvise(start, npages, Madvise.DontNeed);
      else if (what === 1) yield* cpu.munmap(start, npages);
      else if (what === 2) yield* cpu.mremap(start, npages, npages, 3, vpn(ELSEWHERE + at));
      if (what !== 0) yield* cpu.mmap(start, npages, RW, MapFlag.Fixed);
    }
  }

  /** Somebody holds a page for a while, as direct I/O does. */
  private *pin(): Steps<void> {
    const { executor, folios } = this.system;
    const random = new Random(this.seed, 96);
    for (let i = 0; i < 10; i++) {
      const pte = this.system.pte(START + random.below(PAGES));
      const pfn = ptePfn(pte);
      if (pteKind(pte) !== PteKind.Present || pfn === this.system.coordinator.kernel.zeroPage) {
        yield* executor.sleep(100);
        continue;
      }
      folios.get(pfn);
      yield* executor.sleep(1000);
      folios.put(pfn);
    }
  }

  private injectFailures(): void {
    const random = new Random(this.seed, 95);
    const { coordinator, devices } = this.system;
    for (const gpu of coordinator.gpus) gpu.iommu.shouldFail = () => random.below(40) === 0;
    for (const { gpu } of devices) gpu.vram.shouldFail = () => random.below(4) === 0;
  }

  private stopFailing(): void {
    for (const gpu of this.system.coordinator.gpus) gpu.iommu.shouldFail = null;
    for (const { gpu } of this.system.devices) gpu.vram.shouldFail = null;
  }

  private *verify(): Steps<void> {
    for (const key of this.counts.keys()) {
      const [page, word] = [Math.floor(key / WORDS), key % WORDS];
      this.check(page, word, yield* load(this.system.cpus[0], page, word));
    }
  }
}
