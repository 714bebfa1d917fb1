/** The address space of a call stays while the call works on it, whoever ends the process meanwhile; afterwards nothing of it is left. */

import { expect, it } from 'vitest';
import type { CpuThread } from '../../src/actors/cpuThread.js';
import type { IoctlReply } from '../../src/actors/ioctl.js';
import { assert } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import type { Mm } from '../../src/mm/process/mm.js';
import { STEP, type Steps } from '../../src/sim/steps.js';
import { IoctlRequest } from '../../src/uapi/ioctlRequest.js';
import { fill, load, System, store } from '../driver/harness.js';

const AREA = 0x1000;
const PAGES = 16;
const HEAP = vpn(0x9000);

/** A child of the first process, which the second thread runs, with an area that only the child has. */
function withChild(seed: number): { system: System; child: Mm } {
  const system = new System({ cpuThreads: 2, seed, pagesPerStep: 2 });
  system.map(AREA, PAGES);
  const { mm } = system.coordinator;
  mm.brkStart = HEAP;
  mm.brkEnd = HEAP;
  expect(system.run(fill(system.cpus[0], AREA, PAGES, 100))).toBe(Errno.OK);
  return { system, child: system.fork(1) };
}

/** A call about the area, or about the process `a`. */
function ask(cpu: CpuThread, request: IoctlRequest, a = 0): Steps<IoctlReply> {
  return cpu.ioctl(request, -1, vpn(AREA), PAGES, a, 0);
}

/** What the child's thread asks for; each would touch what the end of the process takes away. */
const calls: readonly (readonly [string, (system: System) => Steps<unknown>])[] = [
  ['mlock', ({ cpus }) => ask(cpus[1], IoctlRequest.mlock)],
  ['reclaim', ({ cpus }) => ask(cpus[1], IoctlRequest.reclaim)],
  ['pin', ({ cpus }) => ask(cpus[1], IoctlRequest.pinUnpin, 1)],
  ['fork', ({ cpus }) => ask(cpus[1], IoctlRequest.fork)],
  ['brk', ({ cpus }) => cpus[1].brk(vpn(HEAP + 4))],
];

it.each(calls)('%s of a process that is killed meanwhile leaves nothing behind', (_, call) => {
  for (let seed = 1; seed <= 24; seed++) {
    const { system, child } = withChild(seed);
    const { cpus, coordinator } = system;
    const kill = function* (): Steps<void> {
      for (let i = 0; i < 2 * seed; i++) yield STEP;
      expect((yield* ask(cpus[0], IoctlRequest.kill, child.id)).errno).toBe(Errno.OK);
    };
    system.runAll<unknown>([call(system), kill()]);
    for (const mm of [...coordinator.kernel.mms]) {
      if (mm.id <= child.id) continue;
      system.run(ask(cpus[0], IoctlRequest.kill, mm.id));
    }
    expect([child.users, child.count, child.vmas.size]).toEqual([0, 0, 0]);
    system.checkAtRest();
    system.tearDown();
  }
});

it('a call of a process that has ended finds no process, and its heap is nowhere', () => {
  const { system, child } = withChild(1);
  const [one, two] = system.cpus;
  system.run(ask(one, IoctlRequest.kill, child.id));
  expect(system.run(ask(two, IoctlRequest.mlock)).errno).toBe(Errno.ENOENT);
  expect(system.run(two.brk(vpn(HEAP + 4)))).toBe(0);
  expect([child.brkEnd, child.vmas.size]).toEqual([HEAP, 0]);
  assert(child.count === 0, 'the address space is still there');
  system.tearDown();
});

it('asks where pages of a process are that has ended, and is told of none', () => {
  const { system, child } = withChild(1);
  const [one, two] = system.cpus;
  expect(system.run(two.residentPages(vpn(AREA), PAGES, -1))).toBe(PAGES);
  system.run(ask(one, IoctlRequest.kill, child.id));
  expect(system.run(two.residentPages(vpn(AREA), PAGES, -1))).toBe(0);
  expect(system.run(two.prefetch(vpn(AREA), PAGES, 0, 1))).toBe(Errno.ENOENT);
  expect(system.run(ask(two, IoctlRequest.userfaultRegister)).errno).toBe(Errno.ENOENT);
  system.tearDown();
});

it('a thread whose process is killed finds no memory, also when its page tables are others’ by then', () => {
  const { system, child } = withChild(1);
  const { cpus, coordinator } = system;
  expect(system.run(store(cpus[1], AREA, 7))).toBe(Errno.OK);
  expect(system.run(ask(cpus[0], IoctlRequest.kill, child.id)).errno).toBe(Errno.OK);
  // The first entry of a leaf table that was the root of the child's.
  const other = AREA + 512;
  system.map(other, 1);
  expect(system.run(store(cpus[0], other, 9))).toBe(Errno.OK);
  expect(Math.floor(coordinator.mm.pageTable.slot(other) / 512)).toBe(child.pageTable.root);
  expect(cpus[1].tryPage(vpn(AREA), false)).toBe(-1);
  expect(system.run(load(cpus[1], AREA))).toBe(Errno.EFAULT);
  // It may run another process.
  expect(system.run(cpus[1].enterProcess(coordinator.mm.id))).toBe(Errno.OK);
  expect(system.run(load(cpus[1], other))).toBe(9);
  system.checkAtRest();
  system.tearDown();
});
