/** Random sequences of memory calls of up to three processes do to content and permissions what a model without any sharing of pages says. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { vpn } from '../../../src/base/units.js';
import { NO_PFN, pfn } from '../../../src/memory/pfn.js';
import { pagemapOwner } from '../../../src/mm/migrate/devPagemap.js';
import type { Steps } from '../../../src/sim/steps.js';
import { makeMachine } from '../harness.js';
import { MigratingDevice } from '../migrate/migratingDevice.js';
import { command, type MemorySite, MemoryWorld, memoryCommands, spanOf } from './memoryCommands.js';

/** A nightly run asks for more. */
const RUNS = Number(process.env.SVMSIM_PROPERTY_RUNS ?? 300);

const SITE: MemorySite = { base: 2 ** 34, pages: 12, targets: 12, processesMax: 3 };

class World extends MemoryWorld {
  readonly device = new MigratingDevice(this.machine.kernel);

  constructor() {
    super(makeMachine({ vramPages: [32], ramPages: 512, tables: 512, pagesPerStep: 512 }), SITE);
  }

  /** As a driver does that uses the pages and lets go. */
  lend(of: number, start: number, npages: number): void {
    const { kernel, calls } = this.machine;
    const mm = this.mms[of];
    const steps = function* (): Steps<void> {
      const pages = new Uint32Array(npages);
      yield* mm.mmapLock.read();
      yield* calls.exclusive.makeRange(mm, vpn(start), vpn(start + npages), pages, pagemapOwner(1));
      mm.mmapLock.readUnlock();
      for (const page of pages) {
        if (page === NO_PFN) continue;
        kernel.folioLocks.unlock(pfn(page));
        kernel.folios.put(pfn(page));
      }
    };
    this.run(steps());
    this.model.makeOwn(of, start, npages);
  }

  override end(): void {
    super.end();
    expect(this.device.vram.usedPages).toBe(0);
  }
}

const who = fc.nat(SITE.processesMax - 1);

const commands = [
  ...memoryCommands<World>(SITE),
  command<World, { who: number; at: number }>(
    'to the device',
    fc.record({ who, at: fc.nat(SITE.pages + SITE.targets - 1) }),
    (w, { who, at }) => {
      w.run(w.device.take(w.mms[who % w.mms.length], SITE.base + at, 1));
    },
  ),
  command<World, { who: number; span: { start: number; npages: number } }>(
    'lend',
    fc.record({ who, span: spanOf(SITE, 6) }),
    (w, { who, span: { start, npages } }) => {
      w.lend(who % w.mms.length, start, npages);
    },
  ),
];

describe('several processes', () => {
  it(
    'agree with a model without sharing, in content, permissions and accounts',
    () => {
      fc.assert(
        fc.property(fc.commands(commands, { maxCommands: 40, size: 'max' }), (sequence) => {
          const world = new World();
          fc.modelRun(() => ({ model: {}, real: world }), sequence);
          world.checkContent();
          world.check();
          world.end();
        }),
        { numRuns: RUNS },
      );
    },
    60_000 + RUNS * 200,
  );
});
