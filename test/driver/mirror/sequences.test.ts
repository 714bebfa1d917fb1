/** Random sequences of memory calls of a process and its child, and of commands of three mirror devices, against a naive model. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { PteBit, PteKind, pteHas, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import { pteOf } from '../../mm/harness.js';
import { command, type MemorySite, MemoryWorld, memoryCommands } from '../../mm/process/memoryCommands.js';
import { BUF, MirrorMachine } from './harness.js';

/** A nightly run asks for more. */
const RUNS = Number(process.env.SVMSIM_PROPERTY_RUNS ?? 300);
const DEVICES = 3;
const SITE: MemorySite = { base: BUF, pages: 8, targets: 4, processesMax: 2 };

/** Devices mirror the first process. */
class World extends MemoryWorld {
  constructor(
    readonly mirrors = new MirrorMachine({ vramPages: [32, 32, 32], ramPages: 256, chunkPages: 32 }),
  ) {
    super(mirrors.machine, SITE, [mirrors.mm]);
  }

  override check(): void {
    super.check();
    this.mirrors.checkRules(this.mms);
  }

  /** Pages before the first that a device cannot access. */
  accessible(off: number, npages: number): number {
    for (let i = 0; i < npages; i++) if (this.model.load(0, BUF + off + i) === null) return i;
    return npages;
  }

  /** Its own pages that were write-protected, by fork or mprotect, a device of 6.12 cannot write until they have been in RAM. */
  isOwnAndReadOnly(device: number, page: number): boolean {
    const pte = pteOf(this.mms[0], page);
    if (pteKind(pte) !== PteKind.DevicePrivate || pteHas(pte, PteBit.Write)) return false;
    return this.machine.kernel.memory.layout.zoneOf(ptePfn(pte)).deviceIndex === device;
  }
}

/** That a device stored to the page is known to the kernel: where it does not tell, and the page was clean, reclaim may drop the store (so it is in 6.12). */
function isKnownAsWritten({ mms, machine }: World, page: number): boolean {
  const pte = pteOf(mms[0], page);
  if (pteKind(pte) !== PteKind.Present || pteHas(pte, PteBit.Dirty)) return true;
  return machine.kernel.folios.testFlag(ptePfn(pte), FolioFlag.Dirty);
}

interface DeviceSpan {
  readonly dev: number;
  readonly off: number;
  readonly npages: number;
}

const deviceSpan: fc.Arbitrary<DeviceSpan> = fc
  .tuple(fc.nat(DEVICES - 1), fc.nat(SITE.pages - 1), fc.integer({ min: 1, max: 4 }))
  .map(([dev, off, n]) => ({ dev, off, npages: Math.min(n, SITE.pages - off) }));

const onDevice = (name: string, act: (w: World, args: DeviceSpan) => void) =>
  command<World, DeviceSpan>(name, deviceSpan, act);

const commands = [
  ...memoryCommands<World>(SITE),
  onDevice('device read', (w, { dev, off, npages }) => {
    const found = w.mirrors.read(dev, off, npages);
    if (w.accessible(off, npages) < npages) return expect(found).toBe('-EFAULT');
    const expected = Array.from({ length: npages }, (_, i) => w.model.load(0, BUF + off + i));
    return expect(found).toEqual(expected);
  }),
  command<World, { dev: number; page: number; value: number }>(
    'device write',
    fc.record({
      dev: fc.nat(DEVICES - 1),
      page: fc.nat(SITE.pages + SITE.targets - 1),
      value: fc.integer({ min: 1, max: 1e6 }),
    }),
    (w, { dev, page, value }) => {
      const mayFail = w.isOwnAndReadOnly(dev, BUF + page);
      const result = w.mirrors.write(dev, page, 1, value);
      if (mayFail && result === '-EFAULT') return;
      if (!w.model.store(0, BUF + page, value)) return expect(['-EPERM', '-EFAULT']).toContain(result);
      expect(w.mirrors.last.cpages).toBe(1);
      if (isKnownAsWritten(w, BUF + page)) return;
      expect(w.run(w.cpu(0).store(BUF + page, value))).toBe(Errno.OK);
    },
  ),
  onDevice('to device', (w, { dev, off, npages }) => {
    w.mirrors.toDevice(dev, off, npages);
  }),
  onDevice('to system', (w, { dev, off, npages }) => {
    w.mirrors.toSystem(dev, off, npages);
  }),
  onDevice('exclusive', (w, { dev, off, npages }) => {
    w.mirrors.exclusive(dev, off, npages);
    w.model.makeOwn(0, BUF + off, npages);
  }),
  command<World, number>('evict', fc.nat(DEVICES - 1), (w, dev) => {
    w.run(w.mirrors.contexts[dev].device.evictAll());
  }),
];

describe('a process, its child and three devices', () => {
  it(
    'agree with the model on content and permissions',
    () => {
      fc.assert(
        fc.property(fc.commands(commands, { maxCommands: 40, size: 'max' }), (sequence) => {
          const world = new World();
          fc.modelRun(() => ({ model: {}, real: world }), sequence);
          world.checkContent();
          world.check();
        }),
        { numRuns: RUNS },
      );
    },
    60_000 + RUNS * 200,
  );
});
