/** The end of a process that has used devices: its mirrors, mappings and objects go, and the other processes go on. */

import { beforeEach, describe, expect, it } from 'vitest';
import type { IoctlReply } from '../../src/actors/ioctl.js';
import { assert } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { type Vpn, vpn } from '../../src/base/units.js';
import type { GpuContext } from '../../src/device/gpuContext.js';
import { spaceId } from '../../src/device/gpuSpace.js';
import { CallPayload } from '../../src/memory/callPayload.js';
import type { Mm } from '../../src/mm/process/mm.js';
import type { Steps } from '../../src/sim/steps.js';
import { IoctlRequest } from '../../src/uapi/ioctlRequest.js';
import { BUFFER, failed } from '../check/harness.js';
import { BASE, BindMachine, read, write } from '../driver/vmBind/bindMachine.js';

const PAGES = 8;

class Machine extends BindMachine {
  private readonly payload = new CallPayload(new SharedArrayBuffer(CallPayload.bytesFor(8)), 0, 8);

  /** A driver call of a process. */
  *call(mm: Mm, request: IoctlRequest, given: Partial<CallNumbers> = {}): Steps<IoctlReply> {
    const numbers = { device: 0, page: vpn(BASE), npages: PAGES, a: 0, b: 0, ...given };
    return yield* this.coordinator.ioctls.handle(request, {
      mm,
      thread: 0,
      payload: this.payload,
      ...numbers,
    });
  }

  now(mm: Mm, request: IoctlRequest, given: Partial<CallNumbers> = {}): IoctlReply {
    return this.run(this.call(mm, request, given))[0];
  }

  /** A child of the first process, whose thread is the second one. */
  fork(): Mm {
    const { a } = this.now(this.coordinator.mm, IoctlRequest.fork);
    const child = this.coordinator.processes.find(a);
    assert(child !== null, 'fork made no process');
    this.run(this.cpus[1].enterProcess(child.id));
    return child;
  }

  /** A context of a device in a process's address space. */
  context(device: number, mm: Mm): GpuContext {
    return this.devices[device].gpu.createContext(0, 1, spaceId(mm.id - 1));
  }

  intervals(mm: Mm): number {
    return mm.notifiers.intervals;
  }
}

interface CallNumbers {
  device: number;
  page: Vpn;
  npages: number;
  a: number;
  b: number;
}

let machine: Machine;
let parent: Mm;
let child: Mm;

/** The child has a mirror, an object and pages of its own bound on both devices, and has used all of them. */
function useDevices(): void {
  for (const device of [0, 1]) {
    const at = vpn(BASE + 0x100);
    expect(machine.now(child, IoctlRequest.vmBindUserptr, { device, page: at, a: BUFFER }).errno).toBe(0);
    const { a } = machine.now(child, IoctlRequest.vmCreateBo, { device });
    expect(machine.now(child, IoctlRequest.vmBindBo, { device, a }).errno).toBe(Errno.OK);
    const context = machine.context(device, child);
    for (const page of [BASE, BASE + 0x100, BUFFER + 4]) {
      expect(machine.run(write(context, page, 7 + device))).toEqual([Errno.OK]);
    }
  }
}

describe.each(['n1', 'one-to-one'] as const)('a child that has used devices, layout %s', (layout) => {
  beforeEach(() => {
    machine = new Machine({ layout, cpus: 2 });
    parent = machine.coordinator.mm;
    machine.run(machine.map(PAGES));
    machine.run(machine.store(machine.cpus[0], BUFFER, PAGES, 100));
    child = machine.fork();
    useDevices();
  });

  it.each(['exit', 'kill'] as const)('leaves nothing of itself behind when it ends by %s', (how) => {
    expect(machine.intervals(child)).toBeGreaterThan(0);
    const before = machine.devices.map(({ gpu }) => gpu.vram.usedPages);
    expect(before.every((pages) => pages >= PAGES)).toBe(true);
    expect(machine.now(parent, IoctlRequest[how], { a: child.id }).errno).toBe(Errno.OK);
    expect([machine.intervals(child), child.users, child.count]).toEqual([0, 0, 0]);
    expect(machine.coordinator.mirrors.of(child)).toEqual([]);
    expect(machine.devices.map(({ gpu }) => gpu.vram.usedPages)).toEqual([0, 0]);
    expect(machine.devices.map(({ gpu }) => gpu.pageTable.entries)).toEqual([0, 0]);
    expect(machine.coordinator.gpus.map(({ iommu }) => iommu.live)).toEqual([0, 0]);
    machine.finish();
  });

  it('cannot be reached by its contexts any more, while those of its parent go on', () => {
    machine.now(parent, IoctlRequest.exit, { a: child.id });
    for (const device of [0, 1]) {
      expect(machine.run(read(machine.context(device, child), BUFFER + 4))).toEqual([Errno.ENOENT]);
      machine.run(machine.store(machine.gpu(device), BUFFER, PAGES, 200 + 10 * device));
    }
    machine.run(machine.load(machine.cpus[0], BUFFER, PAGES));
    machine.finish();
  });

  it('cannot bind anything after its end, which would leave a mirror that nobody closes', () => {
    machine.now(parent, IoctlRequest.exit, { a: child.id });
    expect(machine.now(child, IoctlRequest.vmBindMirror).errno).toBe(Errno.ENODEV);
    expect(machine.coordinator.mirrors.isOpen(child)).toBe(false);
    machine.finish();
  });

  it('gets no object that is still being made when it ends', () => {
    const { vram } = machine.coordinator;
    const right = vram.allocatePieces.bind(vram);
    vram.allocatePieces = function* (gpu, npages) {
      const pieces = yield* right(gpu, npages);
      expect((yield* machine.call(parent, IoctlRequest.kill, { a: child.id })).errno).toBe(Errno.OK);
      return pieces;
    };
    expect(machine.now(child, IoctlRequest.vmCreateBo).errno).toBe(Errno.ENODEV);
    expect(machine.devices.map(({ gpu }) => gpu.vram.usedPages)).toEqual([0, 0]);
    machine.finish();
  });

  it('may end while its contexts and binds are under way', () => {
    const work = function* (device: number): Steps<void> {
      const context = machine.context(device, child);
      for (let i = 0; i < PAGES; i++) {
        // The end of the process ends its accesses.
        if ((yield* write(context, BUFFER + i, i)) !== Errno.OK) return;
      }
    };
    const bind = machine.call(child, IoctlRequest.vmBindUserptr, { page: vpn(BASE + 0x200), a: BUFFER });
    machine.run<unknown>(work(0), work(1), bind, machine.call(parent, IoctlRequest.kill, { a: child.id }));
    expect([machine.intervals(child), child.users, child.count]).toEqual([0, 0, 0]);
    expect(machine.coordinator.mirrors.of(child)).toEqual([]);
    machine.run(machine.load(machine.cpus[0], BUFFER, PAGES));
    machine.finish();
  });

  it('goes on when its parent, which has a mirror too, ends before it', () => {
    machine.run(machine.store(machine.gpu(0), BUFFER, PAGES, 300));
    expect(machine.now(child, IoctlRequest.exit, { a: parent.id }).errno).toBe(Errno.OK);
    expect(machine.intervals(parent)).toBe(0);
    expect(machine.run(write(machine.context(1, child), BUFFER + 1, 55))).toEqual([Errno.OK]);
    expect(machine.run(read(machine.cpus[1], BUFFER + 1))).toEqual([55]);
    expect(machine.run(read(machine.context(0, child), BUFFER + 2))).toEqual([102]);
    expect(failed(machine.tearDown())).toEqual([]);
  });
});

it('a process that no device mirrors ends as well', () => {
  machine = new Machine({ cpus: 2 });
  child = machine.fork();
  expect(machine.now(machine.coordinator.mm, IoctlRequest.exit, { a: child.id }).errno).toBe(Errno.OK);
  expect(child.count).toBe(0);
  machine.finish();
});

it('an object that goes with its last mapping, after its handle, is named in the report of the unbind', () => {
  machine = new Machine();
  const { mm } = machine.coordinator;
  const { a } = machine.now(mm, IoctlRequest.vmCreateBo);
  for (const request of ['vmBindBo', 'vmCloseBo', 'vmUnbind'] as const)
    expect(machine.now(mm, IoctlRequest[request], { a }).errno).toBe(Errno.OK);
  expect(machine.devices.map(({ gpu }) => gpu.vram.usedPages)).toEqual([0, 0]);
  machine.finish();
});
