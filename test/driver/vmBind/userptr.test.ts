/** Userptrs that come and go while the process's memory ends: no device has a way to a page that may be somebody else's by now. */

import { describe, expect, it, vi } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { PAGE_WORDS, vpn } from '../../../src/base/units.js';
import { HMM_TIMEOUT_NS } from '../../../src/drm/gpusvm/context.js';
import { type AccessPort, holdPage } from '../../../src/memory/accessPort.js';
import { CallPayload } from '../../../src/memory/callPayload.js';
import { Random } from '../../../src/sim/random.js';
import type { Steps } from '../../../src/sim/steps.js';
import { IoctlRequest } from '../../../src/uapi/ioctlRequest.js';
import { BUFFER, type MachineOptions } from '../../check/harness.js';
import { BASE, BindMachine } from './bindMachine.js';

const PAGES = 4;
/** Beyond the notifier window of the others, whose end would take the lock for its sake. */
const OTHER = vpn(BUFFER + 4096);
const SPAN = { start: BASE, end: BASE + PAGES };
const APART_NS = 1_500;
const HELD_NS = 3_000;
const seeds = Array.from({ length: 40 }, (_, i) => i + 1);

/** Pages in RAM to be bound, and others in VRAM that the device has mapped: their end holds the notifier lock for a while. */
function filledMachine(seed: number): BindMachine {
  const machine = new BindMachine({ seed, cpus: 2 });
  for (const start of [BUFFER, OTHER]) machine.run(machine.map(PAGES, start));
  machine.run(machine.store(machine.cpus[0], BUFFER, PAGES, 100));
  machine.run(machine.store(machine.gpu(0), OTHER, PAGES, 200));
  machine.forget(BUFFER, PAGES);
  machine.forget(OTHER, PAGES);
  return machine;
}

/** When munmap has returned, the pages may be anybody's. */
function* endPages(machine: BindMachine): Steps<void> {
  expect(yield* machine.cpus[0].munmap(BUFFER, PAGES)).toBe(Errno.OK);
  expect(machine.coordinator.gpus[0].iommu.live).toBe(0);
  expect(machine.gpu(0).tryPage(vpn(BASE), true)).toBeLessThan(0);
}

function* endOthers({ cpus }: BindMachine): Steps<void> {
  expect(yield* cpus[1].munmap(OTHER, PAGES)).toBe(Errno.OK);
}

/** As somebody does who is slow to publish. */
function* holdNotifierLock(machine: BindMachine): Steps<void> {
  const { notifierLock } = machine.coordinator.vmOf(machine.coordinator.gpus[0]).gpusvm;
  yield* notifierLock.read();
  yield* machine.sched.sleep(HELD_NS);
  notifierLock.readUnlock();
}

/** Side by side, each a little later than it could. */
function runApart(machine: BindMachine, seed: number, ...programs: readonly Steps<unknown>[]): void {
  const random = new Random(seed);
  const later = function* (program: Steps<unknown>): Steps<void> {
    yield* machine.sched.sleep(random.below(APART_NS));
    yield* program;
  };
  machine.run<void>(...programs.map(later));
}

describe('a userptr of more pages than', () => {
  // 512 pages of RAM hold 8 bytes for each of these.
  const mostPages = 512 * 512;

  it.each([
    ['are mapped finds that some are not', mostPages, Errno.EFAULT],
    ['a list of them fits into RAM is refused', mostPages + 1, Errno.ENOMEM],
    ['any list may have is refused', 2 ** 33, Errno.ENOMEM],
  ])('%s', (_, npages, errno) => {
    const machine = filledMachine(1);
    const newPfns = vi.spyOn(machine.coordinator.dma, 'newPfns');
    expect(machine.user(0, npages, BUFFER).errno).toBe(errno);
    expect(newPfns).toHaveBeenCalledTimes(errno === Errno.ENOMEM ? 0 : 1);
    expect(machine.user(0, PAGES, BUFFER).errno).toBe(Errno.OK);
    machine.finish();
  });
});

describe('the pages of a userptr that end while', () => {
  it.each(seeds)('it is unbound are out of reach when they are free (seed %i)', (seed) => {
    const machine = filledMachine(seed);
    machine.user(0, PAGES, BUFFER);
    machine.poke(0, 1);
    runApart(machine, seed, machine.vm().unbind(SPAN), endPages(machine), endOthers(machine));
    machine.finish();
  });

  it.each(seeds)(
    'it is unbound and somebody holds the notifier lock are free after that (seed %i)',
    (seed) => {
      const machine = filledMachine(seed);
      machine.user(0, PAGES, BUFFER);
      machine.poke(0, 1);
      runApart(machine, seed, machine.vm().unbind(SPAN), endPages(machine), holdNotifierLock(machine));
      machine.finish();
    },
  );

  it.each(seeds)('an object is bound over it are out of reach when they are free (seed %i)', (seed) => {
    const machine = filledMachine(seed);
    const bo = machine.bo(2);
    machine.user(0, PAGES, BUFFER);
    machine.poke(0, 1);
    const over = machine.vm().bindBo({ start: BASE + 1, end: BASE + 3 }, bo, 0);
    runApart(machine, seed, over, endPages(machine), holdNotifierLock(machine));
    machine.finish(bo);
  });

  it.each(seeds)('they are looked at for a bind are out of reach when they are free (seed %i)', (seed) => {
    const machine = filledMachine(seed);
    const bind = machine.vm().bindUserptr(SPAN, BUFFER);
    runApart(machine, seed, bind, endPages(machine), holdNotifierLock(machine));
    machine.finish();
  });
});

describe('pages that a bind cannot have', () => {
  it('for a second on end, since they are invalidated again and again, are -ENOMEM: -EBUSY would be for ranges in the way', () => {
    const machine = filledMachine(1);
    const { dma } = machine.coordinator.vmOf(machine.coordinator.gpus[0]);
    const pin = vi.spyOn(dma, 'tryGetPages').mockImplementation(function* () {
      yield* machine.sched.sleep(HMM_TIMEOUT_NS / 4);
      return Errno.EAGAIN;
    });
    expect(machine.user(0, PAGES, BUFFER)).toEqual({ errno: Errno.ENOMEM, ops: [] });
    expect(pin).toHaveBeenCalledTimes(4);
    pin.mockRestore();
    expect(machine.user(0, PAGES, BUFFER).errno).toBe(Errno.OK);
    machine.run<unknown>(endPages(machine), endOthers(machine));
    machine.finish();
  });

  it.each([Errno.EFAULT, Errno.EPERM, Errno.ENOMEM])(
    'for another reason are that error (errno %i)',
    (errno) => {
      const machine = filledMachine(1);
      const { dma } = machine.coordinator.vmOf(machine.coordinator.gpus[0]);
      vi.spyOn(dma, 'tryGetPages').mockImplementation(function* () {
        return errno;
      });
      expect(machine.user(0, PAGES, BUFFER)).toEqual({ errno, ops: [] });
      machine.run<unknown>(endPages(machine), endOthers(machine));
      machine.finish();
    },
  );
});

/** Shares all pages of the process with a child. */
function fork(machine: BindMachine): void {
  const { mm, ioctls } = machine.coordinator;
  const payload = new CallPayload(new SharedArrayBuffer(CallPayload.bytesFor(8)), 0, 8);
  const call = { mm, thread: 0, payload, device: 0, page: vpn(0), npages: 0, a: 0, b: 0 };
  expect(machine.run(ioctls.handle(IoctlRequest.fork, call))[0].a).toBeGreaterThan(0);
}

describe('pages in device memory', () => {
  const zones = (machine: BindMachine): string[] =>
    Array.from({ length: PAGES }, (_, i) => machine.layout.zoneOf(machine.pfn(vpn(BUFFER + i))).name);

  /** Each device of the list takes the page at its place. */
  function machineWith(devices: readonly (number | null)[], options: MachineOptions = {}): BindMachine {
    const machine = new BindMachine({ chunkPages: [1], ...options });
    machine.run(machine.map(PAGES));
    devices.forEach((device, i) => {
      const port = device === null ? machine.cpus[0] : machine.gpu(device);
      machine.run(machine.store(port, vpn(BUFFER + i), 1, 50 + i));
    });
    return machine;
  }

  it.each([
    ['of its own', [0, 0, 0, 0], ['vram0', 'vram0', 'vram0', 'vram0']],
    ['of a peer', [1, 1, 1, 1], ['vram1', 'vram1', 'vram1', 'vram1']],
    ['between others in RAM', [null, 1, null, 1], ['ram', 'vram1', 'ram', 'vram1']],
    ['of two devices come home, and', [0, 1, null, 0], ['ram', 'ram', 'ram', 'ram']],
  ])('%s are used where they lie', (_, devices, where) => {
    const machine = machineWith(devices);
    expect(machine.user(0, PAGES, BUFFER).errno).toBe(Errno.OK);
    expect(zones(machine)).toEqual(where);
    expect([0, 1, 2, 3].map((page) => machine.peek(page))).toEqual([50, 51, 52, 53]);
    machine.poke(1, 9);
    machine.stored.set(vpn(BUFFER + 1), 9);
    machine.run(machine.load(machine.cpus[0], BUFFER, PAGES));
    machine.finish();
  });

  it('come home where no link leads to them', () => {
    const machine = machineWith([1, 1, 1, 1], { interconnect: 'none' });
    expect(machine.user(0, PAGES, BUFFER).errno).toBe(Errno.OK);
    expect(zones(machine)).toEqual(['ram', 'ram', 'ram', 'ram']);
    machine.finish();
  });

  it('that may not be written come home, and are the own ones of the process then', () => {
    const machine = machineWith([0, 0, 0, 0]);
    fork(machine);
    expect(machine.user(0, PAGES, BUFFER).errno).toBe(Errno.OK);
    expect(zones(machine)).toEqual(['ram', 'ram', 'ram', 'ram']);
    machine.poke(2, 9);
    machine.stored.set(vpn(BUFFER + 2), 9);
    machine.run(machine.load(machine.cpus[0], BUFFER, PAGES));
    machine.finish();
  });

  it('are lost with their device, and the next access finds them in RAM', () => {
    const machine = machineWith([1, 1, 1, 1]);
    const { gpuUnbind, gpus } = machine.coordinator;
    machine.user(0, PAGES, BUFFER);
    expect(machine.run(gpuUnbind.unbind(gpus[1]))).toEqual([Errno.OK]);
    expect(machine.devices[0].gpu.pageTable.entries).toBe(0);
    expect([machine.peek(3), zones(machine)[3]]).toEqual([53, 'ram']);
    machine.finish();
  });

  it.each(seeds)('keep every store while a peer and the CPU take them back and forth (seed %i)', (seed) => {
    const machine = machineWith([1, 1, 1, 1], { seed });
    machine.user(0, PAGES, BUFFER);
    const count = function* (port: AccessPort, start: number, word: number): Steps<void> {
      for (let i = 0; i < 8 * PAGES; i++) {
        const base = yield* holdPage(port, vpn(start + (i % PAGES)), true);
        expect(base).toBeGreaterThanOrEqual(0);
        port.memory.words[base + word]++;
        port.release();
      }
    };
    machine.run<void>(
      count(machine.gpu(0), BASE, 1),
      count(machine.gpu(1), BUFFER, 2),
      count(machine.cpus[0], BUFFER, 3),
    );
    const counts = machine.memory.words;
    const counted = Array.from({ length: PAGES }, (_, i) => {
      const first = machine.pfn(vpn(BUFFER + i)) * PAGE_WORDS;
      return [...counts.subarray(first + 1, first + 4)];
    });
    expect(counted).toEqual(Array.from({ length: PAGES }, () => [8, 8, 8]));
    machine.finish();
  });
});
