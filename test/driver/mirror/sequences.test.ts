/** Random sequences of memory calls of a process and its child, and of commands of three mirror devices, against a naive model. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import type { MirrorContext } from '../../../src/driver/mirror/mirrorContext.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { PteBit, PteKind, pteHas, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import { checkAccounting, pteOf, run, TestCpu } from '../../mm/harness.js';
import { BUF, MirrorMachine } from './harness.js';
import { SharingModel } from './sharingModel.js';

/** A nightly run asks for more. */
const RUNS = Number(process.env.SVMSIM_PROPERTY_RUNS ?? 300);
const PAGES = 8;
const DEVICES = 3;
const READ_WRITE = Prot.Read | Prot.Write;

/** The machine, beside the model that it is held against. */
class Real {
  readonly mirrors = new MirrorMachine({ vramPages: [32, 32, 32], ramPages: 256, chunkPages: 32 });
  readonly mms: Mm[] = [this.mirrors.mm];

  run<T>(steps: Steps<T>): T {
    return run(this.mirrors.machine.kernel, steps);
  }

  get calls() {
    return this.mirrors.machine.calls;
  }

  cpu(process: number): TestCpu {
    return new TestCpu(this.mirrors.machine, this.mms[process]);
  }

  /** Devices mirror the first process. */
  context(device: number): MirrorContext {
    return this.mirrors.contexts[device];
  }

  check(): void {
    checkAccounting(this.mirrors.machine.kernel, this.mms);
    this.mirrors.checkRules(this.mms);
  }
}

type Command = fc.Command<SharingModel, Real>;

/** A command that may always run; what it does to the model decides what it expects of the machine. */
function command(text: string, act: (model: SharingModel, real: Real) => void): Command {
  return {
    check: () => true,
    run: (model, real) => {
      act(model, real);
      real.check();
    },
    toString: () => text,
  };
}

function of<T extends object>(
  name: string,
  args: fc.Arbitrary<T>,
  act: (model: SharingModel, real: Real, args: T) => void,
): fc.Arbitrary<Command> {
  return args.map((values) =>
    command(`${name} ${JSON.stringify(values)}`, (model, real) => act(model, real, values)),
  );
}

const who = fc.nat(1);
const dev = fc.nat(DEVICES - 1);
const value = fc.integer({ min: 1, max: 1e6 });
const span = fc
  .tuple(fc.nat(PAGES - 1), fc.integer({ min: 1, max: 4 }))
  .map(([at, n]) => ({ off: at, npages: Math.min(n, PAGES - at) }));
const prot = fc.constantFrom(Prot.None, Prot.Read, READ_WRITE, READ_WRITE);

/** Pages before the first that a device of the first process cannot access. */
function accessible(model: SharingModel, off: number, npages: number): number {
  for (let i = 0; i < npages; i++) if (model.load(0, BUF + off + i) === null) return i;
  return npages;
}

/** Its own pages that were write-protected, by fork or mprotect, a device of 6.12 cannot write until they have been in RAM. */
function isOwnAndReadOnly(real: Real, device: number, page: number): boolean {
  const pte = pteOf(real.mms[0], page);
  if (pteKind(pte) !== PteKind.DevicePrivate || pteHas(pte, PteBit.Write)) return false;
  return real.mirrors.machine.kernel.memory.layout.zoneOf(ptePfn(pte)).deviceIndex === device;
}

const commands: fc.Arbitrary<Command>[] = [
  of(
    'mmap',
    fc.record({ who, span, prot, shared: fc.boolean() }),
    (model, real, { who, span, prot, shared }) => {
      const process = who % real.mms.length;
      const start = BUF + span.off;
      const flags = MapFlag.Fixed | (shared ? MapFlag.Shared : 0);
      const args = { hint: vpn(start), npages: span.npages, prot, flags };
      expect(real.run(real.calls.memoryMap.mmap(real.mms[process], args))).toBe(start);
      model.map(process, start, span.npages, prot, shared);
    },
  ),
  of('munmap', fc.record({ who, span }), (model, real, { who, span: { off, npages } }) => {
    const process = who % real.mms.length;
    const call = real.calls.memoryMap.munmap(real.mms[process], vpn(BUF + off), npages);
    expect(real.run(call)).toBe(Errno.OK);
    model.unmap(process, BUF + off, npages);
  }),
  of('mprotect', fc.record({ who, span, prot }), (model, real, { who, span: { off, npages }, prot }) => {
    const process = who % real.mms.length;
    const errno = real.run(real.calls.mprotect.mprotect(real.mms[process], vpn(BUF + off), npages, prot));
    expect(errno).toBe(model.protect(process, BUF + off, npages, prot) ? Errno.OK : Errno.ENOMEM);
  }),
  of('discard', fc.record({ who, span }), (model, real, { who, span: { off, npages } }) => {
    const process = who % real.mms.length;
    const call = real.calls.madvise.madvise(real.mms[process], vpn(BUF + off), npages, Madvise.DontNeed);
    expect(real.run(call)).toBe(model.discard(process, BUF + off, npages) ? Errno.OK : Errno.ENOMEM);
  }),
  of(
    'mremap',
    fc.record({ who, from: fc.nat(PAGES - 1), to: fc.nat(3) }),
    (model, real, { who, from, to }) => {
      const process = who % real.mms.length;
      const [source, target] = [BUF + from, BUF + PAGES + to];
      if (!model.processes[process].has(source)) return;
      const flags = MremapFlag.MayMove | MremapFlag.Fixed;
      const args = { from: vpn(source), fromPages: 1, toPages: 1, flags, target: vpn(target) };
      expect(real.run(real.calls.mremap.mremap(real.mms[process], args))).toBe(target);
      model.move(process, source, target);
    },
  ),
  of('store', fc.record({ who, page: fc.nat(PAGES + 3), value }), (model, real, { who, page, value }) => {
    const process = who % real.mms.length;
    const stored = model.store(process, BUF + page, value);
    expect(real.run(real.cpu(process).store(BUF + page, value))).toBe(stored ? Errno.OK : Errno.EFAULT);
  }),
  of('load', fc.record({ who, page: fc.nat(PAGES + 3) }), (model, real, { who, page }) => {
    const process = who % real.mms.length;
    const expected = model.load(process, BUF + page) ?? Errno.EFAULT;
    expect(real.run(real.cpu(process).load(BUF + page))).toBe(expected);
  }),
  of('device read', fc.record({ dev, span }), (model, real, { dev, span: { off, npages } }) => {
    const found = real.mirrors.read(dev, off, npages);
    if (accessible(model, off, npages) < npages) return expect(found).toBe('-EFAULT');
    const expected = Array.from({ length: npages }, (_, i) => model.load(0, BUF + off + i));
    return expect(found).toEqual(expected);
  }),
  of(
    'device write',
    fc.record({ dev, page: fc.nat(PAGES + 3), value }),
    (model, real, { dev, page, value }) => {
      const wasReadable = model.load(0, BUF + page) !== null;
      const mayFail = isOwnAndReadOnly(real, dev, BUF + page);
      const result = real.mirrors.write(dev, page, 1, value);
      if (mayFail && result === '-EFAULT') return;
      if (!wasReadable) return expect(result).toBe('-EFAULT');
      if (model.store(0, BUF + page, value)) return expect(real.mirrors.last.cpages).toBe(1);
      return expect(['-EPERM', '-EFAULT']).toContain(result);
    },
  ),
  of('to device', fc.record({ dev, span }), (_, real, { dev, span }) => {
    real.mirrors.toDevice(dev, span.off, span.npages);
  }),
  of('to system', fc.record({ dev, span }), (_, real, { dev, span }) => {
    real.mirrors.toSystem(dev, span.off, span.npages);
  }),
  of('exclusive', fc.record({ dev, span }), (_, real, { dev, span }) => {
    real.mirrors.exclusive(dev, span.off, span.npages);
  }),
  of('evict', fc.record({ dev }), (_, real, { dev }) => {
    real.run(real.context(dev).device.evictAll());
  }),
  fc.constant(
    command('fork', (model, real) => {
      if (real.mms.length === 2) return;
      const child = real.run(real.calls.fork.fork(real.mms[0], 2));
      assert(typeof child !== 'number', 'fork failed');
      real.mms.push(child);
      model.fork(0);
    }),
  ),
  fc.constant(
    command('exit', (model, real) => {
      const child = real.mms.splice(1, 1)[0];
      if (child === undefined) return;
      real.run(real.calls.exit.mmput(child));
      model.exit(1);
    }),
  ),
];

describe('a process, its child and three devices', () => {
  it(
    'agree with the model on content and permissions',
    () => {
      fc.assert(
        fc.property(fc.commands(commands, { maxCommands: 40, size: 'max' }), (sequence) => {
          const model = new SharingModel();
          const real = new Real();
          const setup = { hint: vpn(BUF), npages: PAGES, prot: READ_WRITE, flags: MapFlag.Fixed };
          real.run(real.calls.memoryMap.mmap(real.mms[0], setup));
          model.map(0, BUF, PAGES, READ_WRITE, false);
          fc.modelRun(() => ({ model, real }), sequence);
          real.mms.forEach((_, process) => {
            for (let page = BUF; page < BUF + PAGES + 4; page++) {
              const expected = model.load(process, page) ?? Errno.EFAULT;
              expect(real.run(real.cpu(process).load(page))).toBe(expected);
            }
          });
          real.check();
        }),
        { numRuns: RUNS },
      );
    },
    60_000 + RUNS * 200,
  );
});
