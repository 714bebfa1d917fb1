/** What processes say about their memory, and what faults and prefetches make of it. */

import { describe, expect, it } from 'vitest';
import type { IoctlReply } from '../../src/actors/ioctl.js';
import { Errno } from '../../src/base/errno.js';
import { type Vpn, vpn } from '../../src/base/units.js';
import { ApiCode } from '../../src/driver/attributes/managedMemory.js';
import { AtomicMode } from '../../src/driver/attributes/xeMadvise.js';
import { stayInRam } from '../../src/driver/placement.js';
import { CallPayload } from '../../src/memory/callPayload.js';
import { FaultKind } from '../../src/memory/faultKind.js';
import { MapFlag, Prot } from '../../src/mm/area/mmap.js';
import { DEVICE_FILE } from '../../src/mm/file/fileType.js';
import { STEP, type Steps } from '../../src/sim/steps.js';
import { IoctlRequest, type SvmRequest } from '../../src/uapi/ioctlRequest.js';
import { fill, findDifference, load, System, type SystemOptions, store } from '../driver/harness.js';

const AREA = 0x1000;

/** One process with 32 pages, and its calls. */
class Machine extends System {
  readonly payload = new CallPayload(new SharedArrayBuffer(CallPayload.bytesFor(64)), 0, 64);

  constructor(options: SystemOptions = {}) {
    super(options);
    this.map(AREA, 32);
    this.run(fill(this.cpus[0], AREA, 32, 100));
  }

  call(request: IoctlRequest, value: unknown, device = -1, first = 0, npages = 32, a = 0): IoctlReply {
    return this.run(this.callSteps(request, value, device, first, npages, a));
  }

  callSteps(
    request: IoctlRequest,
    value: unknown,
    device = -1,
    first = 0,
    npages = 32,
    a = 0,
  ): Steps<IoctlReply> {
    const { payload } = this;
    payload.put(value);
    const span = { page: vpn(AREA + first), npages };
    const { mm, ioctls } = this.coordinator;
    return ioctls.handle(request, { mm, thread: 0, device, ...span, a, b: 0, payload });
  }

  get answer(): unknown {
    return this.payload.get();
  }

  register(request: SvmRequest, first = 0, npages = 32): Errno {
    return this.call(IoctlRequest.svmSetAttr, request, 0, first, npages).errno;
  }

  attr(name: string, first = 0, npages = 32, device = 0): unknown {
    const { errno } = this.call(IoctlRequest.svmGetAttr, name, device, first, npages);
    return errno === Errno.OK ? this.answer : errno;
  }

  get gpuFaultCount(): number {
    return this.seen.filter(({ name }) => name === 'driver.fault').length;
  }
}

describe('registered memory', () => {
  it('is mapped at registration where devices serve no faults, and only there', () => {
    const machine = new Machine();
    machine.call(IoctlRequest.setXnack, null, -1, 0, 0, 0);
    expect(machine.register({ access: 'gpu1', preferred: 'sys' }, 0, 16)).toBe(Errno.OK);
    expect(machine.run(load(machine.context(1), AREA + 3))).toBe(103);
    expect(machine.gpuFaultCount).toBe(0);
    expect(machine.run(load(machine.context(0), AREA + 3))).toBe(Errno.EACCES);
    expect(machine.run(load(machine.context(1), AREA + 20))).toBe(Errno.EFAULT);
  });

  it('is restored after it was moved, without moving it again', () => {
    const machine = new Machine();
    machine.call(IoctlRequest.setXnack, null, -1, 0, 0, 0);
    machine.register({ access: 'gpu0', prefetch: 'gpu0' }, 0, 16);
    expect(machine.placesOf(AREA, 16)).toEqual(['vram0']);
    expect(machine.run(load(machine.cpus[0], AREA))).toBe(100);
    expect(machine.placesOf(AREA, 16)).toEqual(['ram']);
    expect(machine.run(load(machine.context(0), AREA))).toBe(100);
    expect(machine.placesOf(AREA, 16)).toEqual(['ram']);
  });

  it('that is accessed in place stays where the last prefetch put it', () => {
    const machine = new Machine();
    machine.register({ inPlace: 'gpu1', prefetch: 'gpu0' });
    expect(machine.placesOf(AREA, 32)).toEqual(['vram0']);
    expect(machine.run(store(machine.context(1), AREA, 7))).toBe(Errno.OK);
    expect([machine.placesOf(AREA, 32), machine.gpuFaultCount]).toEqual([['vram0'], 0]);
  });

  it('that prefers the system goes home when a device faults', () => {
    const machine = new Machine();
    machine.register({ prefetch: 'gpu0' }, 0, 16);
    machine.register({ preferred: 'sys' }, 0, 16);
    expect(machine.placesOf(AREA, 16)).toEqual(['vram0']);
    expect(machine.run(load(machine.context(1), AREA))).toBe(100);
    expect(machine.placesOf(AREA, 16)).toEqual(['ram']);
  });

  it('is not prefetched where another user of it could not reach it', () => {
    const machine = new Machine({ interconnect: 'none' });
    expect(machine.register({ inPlace: 'gpu1', prefetch: 'gpu0' })).toBe(Errno.OK);
    expect(machine.placesOf(AREA, 32)).toEqual(['ram']);
  });

  it.each([
    ['goes there where devices serve faults', 1, 'vram0'],
    ['stays where they serve none', 0, 'ram'],
  ])('that another device accesses and could not reach at the place of a prefetch %s', (_, xnack, place) => {
    const machine = new Machine({ interconnect: 'none' });
    machine.call(IoctlRequest.setXnack, null, -1, 0, 0, xnack);
    expect(machine.register({ access: 'gpu1', prefetch: 'gpu0' })).toBe(Errno.OK);
    expect(machine.placesOf(AREA, 32)).toEqual([place]);
    const hasMoved = machine.seen.some(({ name }) => name === 'pagemap.toDevmemDone');
    expect(hasMoved).toBe(place === 'vram0');
  });

  it('migrates in pieces of its granularity', () => {
    const machine = new Machine();
    machine.register({ granularity: 0 }, 0, 16);
    machine.run(store(machine.context(0), AREA + 4, 1));
    expect(machine.placesOf(AREA, 16)).toEqual(['ram', 'vram0', 'ram']);
    machine.run(store(machine.context(0), AREA + 20, 1));
    expect(machine.placesOf(AREA + 16, 16)).toEqual(['vram0']);
  });

  it('comes home in pieces of its granularity', () => {
    const machine = new Machine();
    machine.register({ prefetch: 'gpu0' }, 0, 16);
    machine.register({ granularity: 2 }, 0, 16);
    expect(machine.run(load(machine.cpus[0], AREA + 5))).toBe(105);
    expect(machine.placesOf(AREA, 16)).toEqual(['vram0', 'ram', 'vram0']);
    expect([3, 4, 7, 8].map((i) => machine.placeOf(AREA + i))).toEqual(['vram0', 'ram', 'ram', 'vram0']);
  });

  it('that only devices may load refuses their stores', () => {
    const machine = new Machine();
    machine.register({ flags: ['gpu_ro'] });
    expect(machine.run(load(machine.context(0), AREA))).toBe(100);
    expect(machine.run(store(machine.context(0), AREA + 16, 1))).toBe(Errno.EPERM);
  });

  it.each([0, 8])(
    'that a range reaches beyond is no part of it any more: refused from page %i on',
    (first) => {
      const machine = new Machine();
      expect(machine.run(store(machine.context(0), AREA, 1))).toBe(Errno.OK);
      machine.register({ flags: ['gpu_ro'] }, first, 8);
      expect(machine.run(store(machine.context(0), AREA + first, 2))).toBe(Errno.EPERM);
      expect(machine.run(store(machine.context(0), AREA + 8 - first, 3))).toBe(Errno.OK);
    },
  );

  it('whose ranges make way for smaller ones keeps what a mirror was told of it', () => {
    const machine = new Machine();
    const { mirrors, mm } = machine.coordinator;
    const told = mirrors.attributesOf(mm)?.mirrors[0];
    told?.setAtomics(vpn(AREA), vpn(AREA + 16), AtomicMode.Cpu);
    expect(machine.run(load(machine.context(0), AREA))).toBe(100);
    machine.register({ granularity: 3 }, 0, 8);
    expect([0, 15].map((i) => told?.find(vpn(AREA + i))?.atomics)).toEqual([AtomicMode.Cpu, AtomicMode.Cpu]);
  });

  it('cannot be what a driver has put into the address space', () => {
    const machine = new Machine();
    const { kernel, calls, mm } = machine.coordinator;
    const file = kernel.pageCache.create(0, DEVICE_FILE);
    const args = {
      hint: vpn(AREA + 16),
      npages: 4,
      prot: Prot.Read | Prot.Write,
      flags: MapFlag.Fixed,
      file,
    };
    machine.run(calls.memoryMap.mmap(mm, args));
    expect(machine.register({ granularity: 3 }, 0, 32)).toBe(Errno.EFAULT);
    expect(machine.register({ granularity: 3 }, 16, 4)).toBe(Errno.EFAULT);
    expect(machine.register({ granularity: 3 }, 0, 16)).toBe(Errno.OK);
  });

  it('is forgotten as it is unmapped', () => {
    const machine = new Machine();
    machine.register({ prefetch: 'gpu0', granularity: 3 });
    machine.run(machine.cpus[0].munmap(vpn(AREA + 8), 8));
    expect(machine.attr('prefetch_loc')).toBe(Errno.EFAULT);
    machine.map(AREA + 8, 8);
    expect(machine.attr('prefetch_loc', 8, 8)).toBe('undefined');
    expect(machine.attr('granularity', 0, 8)).toBe(3);
  });

  it('is refused where nothing is mapped', () => {
    const machine = new Machine();
    expect(machine.register({ access: 'gpu0' }, 0, 33)).toBe(Errno.EFAULT);
    expect(machine.register({ access: 'gpu9' })).toBe(Errno.EINVAL);
    expect(machine.register({ flags: ['nonsense'] })).toBe(Errno.EINVAL);
  });
});

describe('advice to one device', () => {
  it('sends its pages to the device it names, also when that is another one', () => {
    const machine = new Machine();
    machine.call(IoctlRequest.madvisePreferred, 'gpu1', 0, 0, 16);
    machine.run(store(machine.context(0), AREA, 5));
    machine.run(store(machine.context(0), AREA + 16, 5));
    expect(machine.placesOf(AREA, 32)).toEqual(['vram1', 'vram0']);
    expect(machine.gpuPte(0, AREA)).not.toBe(0);
  });

  it('migrates pages from other devices also where it speaks of those in RAM only', () => {
    const machine = new Machine();
    machine.run(store(machine.context(1), AREA, 5));
    machine.call(IoctlRequest.madvisePreferred, 'gpu0', 0, 0, 16, 1);
    machine.run(store(machine.context(0), AREA, 6));
    expect(machine.placesOf(AREA, 16)).toEqual(['vram0']);
  });

  it('names no device that it does not reach', () => {
    const machine = new Machine({ interconnect: 'none' });
    expect(machine.call(IoctlRequest.madvisePreferred, 'gpu1', 0).errno).toBe(Errno.ENOLINK);
    expect(machine.call(IoctlRequest.madvisePreferred, 'gpu0', 0).errno).toBe(Errno.OK);
    expect(machine.call(IoctlRequest.madvisePreferred, 'gpu7', 0).errno).toBe(Errno.EINVAL);
  });

  it('is what a prefetch as advised follows, after which the device does not fault', () => {
    const machine = new Machine();
    machine.call(IoctlRequest.madvisePreferred, 'gpu1', 0);
    expect(machine.call(IoctlRequest.svmPrefetch, 'advised', 0).errno).toBe(Errno.OK);
    expect(machine.run(store(machine.context(0), AREA + 17, 5))).toBe(Errno.OK);
    expect([machine.placesOf(AREA, 32), machine.gpuFaultCount]).toEqual([['vram1'], 0]);
  });

  it('bounds the ranges: one that was made before makes way', () => {
    const machine = new Machine();
    machine.run(store(machine.context(0), AREA, 5));
    expect(machine.rangeAt(AREA)?.npages).toBe(16);
    machine.call(IoctlRequest.madvisePreferred, 'sys', 0, 0, 4);
    expect(machine.rangeAt(AREA)).toBeNull();
    machine.run(store(machine.context(0), AREA + 2, 5));
    expect(machine.rangeAt(AREA + 2)?.npages).toBe(1);
  });

  it('brings all pages of a range that it splits home, and leaves those of others', () => {
    const machine = new Machine();
    machine.run(fill(machine.context(0), AREA, 32, 300));
    machine.call(IoctlRequest.madvisePreferred, 'gpu1', 0, 0, 4);
    expect(machine.placesOf(AREA, 16)).toEqual(['ram']);
    expect(machine.placesOf(AREA + 16, 16)).toEqual(['vram0']);
    expect(machine.run(findDifference(machine.context(0), AREA, 32, 300))).toBeNull();
    expect(machine.placesOf(AREA, 16)).toEqual(['vram1', 'vram0']);
    machine.checkAtRest();
    machine.tearDown();
  });

  it('on atomics: the CPU alone, or in the memory of the device', () => {
    const machine = new Machine();
    const { coordinator } = machine;
    const [gpu] = coordinator.gpus;
    const atomic = (page: number): Steps<Errno> =>
      coordinator.gpuFaults.handle(coordinator.vmOf(gpu), gpu, page as Vpn, true, FaultKind.Atomic);
    machine.call(IoctlRequest.madvisePreferred, 'sys', 0);
    machine.call(IoctlRequest.madviseAtomic, 'cpu', 0, 0, 16);
    machine.call(IoctlRequest.madviseAtomic, 'global', 0, 16, 16);
    expect(machine.run(atomic(AREA))).toBe(Errno.EACCES);
    expect(machine.placesOf(AREA, 16)).toEqual(['ram']);
    expect(machine.run(atomic(AREA + 16))).toBe(Errno.OK);
    expect(machine.placesOf(AREA + 16, 16)).toEqual(['vram0']);
  });

  it('outlives the garbage of what was at its addresses before', () => {
    for (let seed = 1; seed <= 6; seed++) {
      const machine = new Machine({ seed });
      machine.run(store(machine.context(0), AREA, 5));
      const { vmLock } = machine.coordinator.vms[0];
      let isNew = false;
      const replace = function* (): Steps<void> {
        yield* vmLock.read();
        yield* machine.cpus[0].munmap(vpn(AREA), 16);
        yield* machine.cpus[0].mmap(vpn(AREA), 16, Prot.Read | Prot.Write, MapFlag.Fixed);
        isNew = true;
        // For long enough that the advice comes meanwhile.
        for (let i = 0; i < 100; i++) yield STEP;
        vmLock.readUnlock();
      };
      const advise = function* (): Steps<Errno> {
        while (!isNew) yield STEP;
        return (yield* machine.callSteps(IoctlRequest.madvisePreferred, 'sys', 0, 0, 16)).errno;
      };
      expect(machine.runAll<unknown>([replace(), advise()])[1]).toBe(Errno.OK);
      machine.run(store(machine.context(0), AREA, 5));
      expect(machine.placesOf(AREA, 1)).toEqual(['ram']);
    }
  });

  it('takes translations away where it is news, so that the next access follows it', () => {
    const machine = new Machine();
    machine.run(fill(machine.context(0), AREA, 32, 300));
    machine.call(IoctlRequest.madvisePreferred, 'gpu1', 0, 0, 16);
    expect([machine.gpuPte(0, AREA), machine.placeOf(AREA)]).toEqual([0, 'vram0']);
    expect(machine.gpuPte(0, AREA + 16)).not.toBe(0);
    expect(machine.run(findDifference(machine.context(0), AREA, 32, 300))).toBeNull();
    expect(machine.placesOf(AREA, 32)).toEqual(['vram1', 'vram0']);
    const before = machine.gpuFaultCount;
    machine.call(IoctlRequest.madvisePreferred, 'gpu1', 0, 0, 16);
    machine.run(store(machine.context(0), AREA, 5));
    expect(machine.gpuFaultCount).toBe(before);
    machine.checkAtRest();
  });

  it('leaves other devices what they have, and this one its DMA mappings', () => {
    const machine = new Machine({ policy: stayInRam });
    for (const device of [0, 1]) machine.run(load(machine.context(device), AREA));
    const [gpu] = machine.coordinator.gpus;
    const mapped = gpu.iommu.live;
    machine.call(IoctlRequest.madviseAtomic, 'device', 0, 0, 16);
    expect([machine.gpuPte(0, AREA), gpu.iommu.live]).toEqual([0, mapped]);
    expect(machine.gpuPte(1, AREA)).not.toBe(0);
    machine.run(load(machine.context(0), AREA));
    machine.call(IoctlRequest.madviseAtomic, 'device', 0, 0, 16);
    expect(machine.gpuPte(0, AREA)).not.toBe(0);
    machine.checkAtRest();
    machine.tearDown();
  });

  it('is reset when a range of it was unmapped', () => {
    const machine = new Machine();
    machine.call(IoctlRequest.madvisePreferred, 'sys', 0);
    machine.run(store(machine.context(0), AREA, 5));
    machine.run(machine.cpus[0].munmap(vpn(AREA), 16));
    machine.map(AREA, 16);
    machine.run(store(machine.context(0), AREA, 5));
    machine.run(store(machine.context(0), AREA + 16, 5));
    expect(machine.placeOf(AREA)).toBe('vram0');
    expect(machine.placesOf(AREA + 16, 16)).toEqual(['ram']);
  });
});

describe('managed memory', () => {
  it('answers with codes of its own', () => {
    const machine = new Machine();
    const code = (value: string, first: number, npages: number): number =>
      machine.call(IoctlRequest.svmPrefetch, value, -1, first, npages).a;
    expect(code('gpu0', 0, 33)).toBe(ApiCode.InvalidValue);
    expect(code('gpu0', 0, 0)).toBe(ApiCode.InvalidValue);
    expect(code('invalid', 0, 1)).toBe(ApiCode.InvalidDevice);
    expect(code('gpu1', 0, 16)).toBe(ApiCode.Success);
    expect(machine.placesOf(AREA, 32)).toEqual(['vram1', 'ram']);
  });

  it('that is read mostly is shared by readers, and moves to a writer', () => {
    const machine = new Machine();
    machine.call(IoctlRequest.managedAdvise, { advice: 'set_read_mostly', place: 'gpu0' });
    for (const device of [0, 1]) expect(machine.run(load(machine.context(device), AREA))).toBe(100);
    expect(machine.placesOf(AREA, 16)).toEqual(['ram']);
    machine.call(IoctlRequest.managedGetAttr, 'read_mostly');
    expect(machine.answer).toBe(1);
  });
});

describe('queues', () => {
  it('keep the mode of fault handling as it is', () => {
    const machine = new Machine();
    const setXnack = (on: number): Errno => machine.call(IoctlRequest.setXnack, null, -1, 0, 0, on).errno;
    expect(machine.call(IoctlRequest.createQueue, 'q', 0).errno).toBe(Errno.OK);
    expect(machine.call(IoctlRequest.createQueue, 'q', 0).errno).toBe(Errno.EEXIST);
    expect(setXnack(1)).toBe(Errno.EBUSY);
    expect(machine.call(IoctlRequest.destroyQueue, 'q', 0).errno).toBe(Errno.OK);
    expect(machine.call(IoctlRequest.destroyQueue, 'q', 0).errno).toBe(Errno.EINVAL);
    expect(setXnack(0)).toBe(Errno.OK);
  });
});

it('says where pages are', () => {
  const machine = new Machine();
  machine.run(store(machine.context(1), AREA, 5));
  machine.run(machine.cpus[0].munmap(vpn(AREA + 31), 1));
  machine.call(IoctlRequest.queryResidency, null, -1, 14, 18);
  const [none, ram, gpu1] = [0, 1, 3];
  expect([...machine.payload.bytes.subarray(0, 18)]).toEqual([gpu1, gpu1, ...new Array(15).fill(ram), none]);
});

it('a process ends with attributes, ranges and queues, and nothing is left', () => {
  const machine = new Machine();
  machine.register({ access: 'gpu0', prefetch: 'gpu1' });
  machine.run(machine.coordinator.tearDown());
  expect(machine.coordinator.mm.notifiers.intervals).toBe(0);
  expect(machine.coordinator.zdds.live).toBe(0);
});
