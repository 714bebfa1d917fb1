/** Atomics of a device: in its own memory only, so their faults bring pages there or fail. */

import { expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { type Vpn, vpn } from '../../../src/base/units.js';
import type { GpuContext } from '../../../src/device/gpuContext.js';
import { stayInRam } from '../../../src/driver/placement.js';
import { FaultKind } from '../../../src/memory/faultKind.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import type { Steps } from '../../../src/sim/steps.js';
import { BUFFER } from '../../check/harness.js';
import { BASE, BindMachine, read } from './bindMachine.js';

function* increment(context: GpuContext, page: Vpn): Steps<number> {
  for (;;) {
    const at = context.tryAtomic(page);
    if (at >= 0) return Atomics.add(context.memory.words, at, 1);
    const errno = yield* context.fault(page, true, FaultKind.Atomic);
    if (errno !== Errno.OK) return errno;
  }
}

function atomics(machine: BindMachine, device: number, page: number): number {
  return machine.run(increment(machine.devices[device].gpu.createContext(0, 1), vpn(page)))[0];
}

it('moves pages to the device that asks, though policy and plain stores leave them in RAM', () => {
  const machine = new BindMachine({ policy: stayInRam });
  machine.run(machine.map(2));
  machine.run(machine.store(machine.gpu(0), BUFFER, 1, 5));
  const zone = (): string => machine.layout.zoneOf(machine.pfn(BUFFER)).name;
  expect(zone()).toBe('ram');
  expect([atomics(machine, 0, BUFFER), zone()]).toEqual([5, 'vram0']);
  expect([atomics(machine, 1, BUFFER), zone()]).toEqual([6, 'vram1']);
  expect(machine.run(read(machine.cpus[0], BUFFER))).toEqual([7]);
  machine.finish();
});

it('works on an own buffer object, and is refused on a peer’s and on pages of the process', () => {
  const machine = new BindMachine();
  const [own, peer] = [machine.bo(1, 0), machine.bo(1, 1)];
  machine.run(machine.map(1));
  machine.bind(0, 1, own, 0);
  machine.bind(1, 2, peer, 0);
  machine.user(2, 3, BUFFER);
  expect([0, 1, 2].map((page) => atomics(machine, 0, BASE + page))).toEqual([0, Errno.EACCES, Errno.EACCES]);
  expect(machine.inBo(own, 0)).toBe(1);
  machine.finish(own, peer);
});

it('is refused on what lies in a peer’s memory also where the device does atomics in RAM', () => {
  const machine = new BindMachine({ systemAtomics: 'coherent' });
  const peer = machine.bo(1, 1);
  machine.run(machine.map(2));
  machine.run(machine.store(machine.gpu(1), vpn(BUFFER + 1), 1, 5));
  machine.bind(1, 2, peer, 0);
  machine.user(2, 3, BUFFER);
  machine.user(3, 4, BUFFER + 1);
  expect([1, 2, 3].map((page) => atomics(machine, 0, BASE + page))).toEqual([Errno.EACCES, 0, Errno.EACCES]);
  machine.finish(peer);
});

it('is refused where nothing may be stored', () => {
  const machine = new BindMachine();
  machine.run(machine.cpus[0].mmap(BUFFER, 1, Prot.Read, MapFlag.Fixed));
  expect(atomics(machine, 0, BUFFER)).toBe(Errno.EPERM);
  machine.finish();
});
