/** The kernels of cases, run on a GPU of a small machine. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { PAGE_BYTES, PAGE_WORDS, vpn } from '../../../src/base/units.js';
import { contentOf } from '../../../src/case/pageContent.js';
import { CallPayload } from '../../../src/memory/callPayload.js';
import type { GpuCommand, GpuCommandResult } from '../../../src/workload/case/gpuCommand.js';
import { commandKernel } from '../../../src/workload/case/gpuKernels.js';
import { buildLists, listPool, verifyLists } from '../../../src/workload/case/linkedLists.js';
import { BUFFER, TestMachine } from '../../check/harness.js';

const PAGES = 8;

class KernelMachine extends TestMachine {
  readonly payload = new CallPayload(
    new SharedArrayBuffer(CallPayload.bytesFor(PAGES * PAGE_BYTES)),
    0,
    PAGES * PAGE_BYTES,
  );

  constructor() {
    super({ devices: 2 });
    this.run(this.map(PAGES));
  }

  /** The kernel's errno and the value that it left. */
  launch(command: GpuCommand, device = 0): [Errno, number] {
    this.payload.put(command);
    const [errno] = this.run(this.devices[device].gpu.launch(commandKernel(this.payload)));
    return [errno, this.payload.get<GpuCommandResult>()?.value ?? -1];
  }

  /** Dwords as the GPU reads them. */
  read(npages: number, page: number = BUFFER): Int32Array {
    expect(this.launch({ kind: 'read', page, npages })[0]).toBe(Errno.OK);
    return this.payload.words.slice(0, npages * PAGE_WORDS);
  }
}

describe('kernels of cases', () => {
  it('store runs of dwords, across pages too', () => {
    const machine = new KernelMachine();
    const command = { kind: 'store', page: BUFFER, dword: PAGE_WORDS - 2, count: 4, value: 7 } as const;
    expect(machine.launch(command)).toEqual([Errno.OK, 0]);
    const words = machine.read(2);
    const at = [...words.keys()].filter((i) => words[i] !== 0);
    expect(at.map((i) => [i - PAGE_WORDS, words[i]])).toEqual([
      [-2, 7],
      [-1, 7],
      [0, 7],
      [1, 7],
    ]);
  });

  it('count up one dword', () => {
    const machine = new KernelMachine();
    const command = { kind: 'increment', page: BUFFER, dword: PAGE_WORDS + 5, count: 30 } as const;
    machine.launch(command, 0);
    machine.launch(command, 1);
    expect(machine.read(2)[PAGE_WORDS + 5]).toBe(60);
  });

  it('write patterns that count from the start of the buffer, and copy pages and dwords', () => {
    const machine = new KernelMachine();
    const pattern = { p: 'index', k: 3 } as const;
    machine.launch({ kind: 'write', page: BUFFER + 1, npages: 2, pattern, firstPage: 1 });
    machine.launch({ kind: 'copy', from: BUFFER + 1, to: BUFFER + 4, npages: 2 }, 1);
    machine.launch({ kind: 'copyDword', from: BUFFER + 4, fromDword: 9, to: BUFFER, toDword: 2 });
    const words = machine.read(6);
    expect(words[2]).toBe(PAGE_WORDS + 3 + 9);
    for (const page of [1, 4]) {
      const ramp = { kind: 'ramp', first: PAGE_WORDS + 3, step: 1 };
      expect(contentOf(words, page * PAGE_WORDS)).toEqual(ramp);
      expect(words[(page + 2) * PAGE_WORDS - 1]).toBe(3 * PAGE_WORDS + 2);
    }
  });

  it('add and xor every dword, and tell what was there before', () => {
    const machine = new KernelMachine();
    const span = { kind: 'update', page: BUFFER, npages: 2 } as const;
    machine.launch({ ...span, how: 'add', value: 0x7fffffff });
    expect(contentOf(machine.payload.words, PAGE_WORDS)).toEqual({ kind: 'ramp', first: 0, step: 0 });
    machine.launch({ ...span, how: 'add', value: 2 });
    expect(machine.payload.words[PAGE_WORDS]).toBe(0x7fffffff);
    machine.launch({ ...span, how: 'xor', value: -1 });
    expect(machine.read(2).every((word) => word === (0x80000001 ^ -1))).toBe(true);
  });

  it('store every n-th byte, wherever pages begin', () => {
    const machine = new KernelMachine();
    const span = { kind: 'storeBytes', page: BUFFER, npages: 2, stride: 3 } as const;
    for (const start of [0, 1, 2]) machine.launch({ ...span, start, value: start + 1 }, start % 2);
    machine.read(2);
    const bytes = machine.payload.bytes.slice(0, 2 * PAGE_BYTES);
    expect(bytes.every((byte, i) => byte === (i % 3) + 1)).toBe(true);
  });

  it('end with the errno of an access that is illegal', () => {
    const machine = new KernelMachine();
    const beyond = BUFFER + PAGES;
    const [errno] = machine.launch({ kind: 'store', page: beyond, dword: 0, count: 1, value: 1 });
    expect(errno).toBe(Errno.EFAULT);
    expect(machine.launch({ kind: 'copy', from: BUFFER, to: beyond, npages: 1 })[0]).toBe(Errno.EFAULT);
  });

  it('drop prefetch hints for what is not mapped, once per lane, and go on', () => {
    const machine = new KernelMachine();
    const hint = { kind: 'prefetchHint', lanes: 4 } as const;
    expect(machine.launch({ ...hint, page: BUFFER + PAGES })).toEqual([Errno.OK, 4]);
    expect(machine.launch({ ...hint, page: BUFFER })).toEqual([Errno.OK, 0]);
  });

  it('poll pages until their time is up', () => {
    const machine = new KernelMachine();
    const pages = [BUFFER, BUFFER + 3];
    expect(machine.launch({ kind: 'readLoop', pages, rounds: 3 })).toEqual([Errno.OK, 2]);
  });

  it('follow lists that another device or the CPU has built', () => {
    const machine = new KernelMachine();
    const lists = { page: BUFFER, lists: 40, length: 50 } as const;
    machine.launch({ kind: 'buildLists', ...lists }, 0);
    expect(machine.launch({ kind: 'verifyLists', ...lists }, 1)).toEqual([Errno.OK, 2000]);
    const pool = listPool(BUFFER, 40, 50);
    expect(machine.run(verifyLists(machine.cpus[0], pool))).toEqual([2000]);
    machine.run(buildLists(machine.cpus[0], listPool(BUFFER, 10, 5)));
    // The short lists have overwritten the heads of the long ones.
    expect(machine.launch({ kind: 'verifyLists', ...lists }, 0)[1]).toBeLessThan(2000);
    expect(machine.launch({ kind: 'verifyLists', page: BUFFER, lists: 10, length: 5 }, 1)[1]).toBe(50);
    expect(vpn(BUFFER)).toBe(pool.page);
  });
});
