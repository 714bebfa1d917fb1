/** Programs for the test machine that access and change memory all at once, with what must come out of it. */

import { Errno } from '../../src/base/errno.js';
import { type Vpn, vpn } from '../../src/base/units.js';
import { type AccessPort, holdPage } from '../../src/memory/accessPort.js';
import { Madvise } from '../../src/mm/area/madvise.js';
import { MapFlag, Prot } from '../../src/mm/area/mmap.js';
import { MremapFlag } from '../../src/mm/area/mremap.js';
import { Random } from '../../src/sim/random.js';
import type { Steps } from '../../src/sim/steps.js';
import type { Expectation } from '../../src/workload/workload.js';
import { BUFFER, type TestMachine } from './harness.js';

const STABLE_PAGES = 48;
/** Unmapped, protected, dropped and moved while all access it. */
export const VOLATILE = vpn(BUFFER + 64);
const VOLATILE_PAGES = 64;
/** mremap moves pages here and back. */
const ASIDE = vpn(BUFFER + 256);

/** Each actor adds to a word of its own in every page of a shared buffer, so every store of every actor counts. */
export class Stress {
  /** By actor: how often it added to each page. */
  private readonly added: number[][] = [];

  constructor(
    private readonly machine: TestMachine,
    private readonly accesses: number,
    private readonly seed: number,
  ) {}

  run(): void {
    const { machine } = this;
    machine.run(machine.map(STABLE_PAGES));
    machine.run(machine.map(VOLATILE_PAGES, VOLATILE));
    const ports = [...machine.devices.map((_, i) => machine.gpu(i)), ...machine.cpus];
    const programs = ports.map((port, actor) => this.accessAll(port, actor));
    machine.run(...programs, this.invalidate());
  }

  expectations(): Expectation[] {
    return [
      { start: BUFFER, npages: STABLE_PAGES, check: (page, words) => this.check(page, words) },
      { start: VOLATILE, npages: 512, check: () => null },
    ];
  }

  private check(page: Vpn, words: Int32Array | null): string | null {
    for (let actor = 0; actor < this.added.length; actor++) {
      const expected = this.added[actor][page - BUFFER];
      const seen = words === null ? 0 : words[actor];
      if (seen !== expected) return `word ${actor} is ${seen}, not ${expected}`;
    }
    return null;
  }

  private *accessAll(port: AccessPort, actor: number): Steps<void> {
    const random = new Random(this.seed, actor);
    const added = new Array<number>(STABLE_PAGES).fill(0);
    this.added[actor] = added;
    for (let i = 0; i < this.accesses; i++) {
      const at = random.below(STABLE_PAGES);
      yield* this.add(port, vpn(BUFFER + at), actor);
      added[at]++;
      yield* this.touch(port, vpn(VOLATILE + random.below(VOLATILE_PAGES)), random.below(2) === 0);
    }
  }

  private *add(port: AccessPort, page: Vpn, word: number): Steps<void> {
    const base = yield* holdPage(port, page, true);
    if (base < 0) throw new Error(`a store to memory that is always mapped ends with ${base}`);
    port.memory.words[base + word]++;
    port.release();
  }

  /** May meet a hole or a protection. */
  private *touch(port: AccessPort, page: Vpn, write: boolean): Steps<void> {
    const base = yield* holdPage(port, page, write);
    if (base < 0) return;
    if (write) port.memory.words[base + 100] = page & 0xffff;
    port.release();
  }

  private *invalidate(): Steps<void> {
    const random = new Random(this.seed, 1000);
    for (let i = 0; i < this.accesses; i++) {
      const start = random.below(VOLATILE_PAGES);
      const npages = 1 + random.below(Math.min(16, VOLATILE_PAGES - start));
      yield* this.change(vpn(VOLATILE + start), npages, random.below(6));
    }
  }

  private *change(page: Vpn, npages: number, what: number): Steps<void> {
    const cpu = this.machine.cpus[0];
    const all = Prot.Read | Prot.Write;
    if (what === 0) yield* cpu.munmap(page, npages);
    else if (what === 1) yield* cpu.mmap(page, npages, all, MapFlag.Fixed);
    else if (what === 2) yield* cpu.mprotect(page, npages, Prot.Read);
    else if (what === 3) yield* cpu.mprotect(page, npages, all);
    else if (what === 4) yield* cpu.madvise(page, npages, Madvise.DontNeed);
    else yield* this.moveAway(page, npages);
  }

  private *moveAway(page: Vpn, npages: number): Steps<void> {
    const cpu = this.machine.cpus[0];
    const flags = MremapFlag.MayMove | MremapFlag.Fixed;
    const moved = yield* cpu.mremap(page, npages, npages, flags, ASIDE);
    if (moved === ASIDE) yield* cpu.mremap(ASIDE, npages, npages, flags, page);
    else if (moved !== Errno.EFAULT) throw new Error(`mremap returned ${moved}`);
  }
}
