/** A small machine with short words for binding and accessing GPU addresses. */

import { expect } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import type { BindResult, DeviceVm } from '../../../src/driver/vmBind/deviceVm.js';
import { VramBo } from '../../../src/driver/vmBind/vramBo.js';
import { DmaResv } from '../../../src/drm/exec/dmaResv.js';
import { type AccessPort, holdPage } from '../../../src/memory/accessPort.js';
import type { Steps } from '../../../src/sim/steps.js';
import { failed, type MachineOptions, TestMachine } from '../../check/harness.js';

/** GPU page that the pages of a bind are counted from. */
export const BASE = 0x1000;

export class BindMachine extends TestMachine {
  constructor(options: MachineOptions = {}) {
    super({ devices: 2, ramPages: 512, vramPages: 128, ...options });
  }

  vm(device = 0): DeviceVm {
    const gpu = this.coordinator.gpus[device];
    return this.coordinator.vmOf(gpu).deviceVm(gpu);
  }

  bo(npages: number, device = 0): VramBo {
    const gpu = this.coordinator.gpus[device];
    const [pieces] = this.run(this.coordinator.vram.allocatePieces(gpu, npages));
    if (typeof pieces === 'number') throw new Error(`no VRAM: ${pieces}`);
    return new VramBo('bo', new DmaResv(this.coordinator.kernel.sched, 'of the test'), gpu, pieces);
  }

  /** As the CPU does. */
  fill(bo: VramBo, first: number, npages: number, byte: number): void {
    const { memory } = this;
    this.run(
      (function* (): Steps<void> {
        yield* bo.resv.lock();
        bo.fill(memory, first, npages, byte);
        bo.resv.unlock();
      })(),
    );
  }

  bind(start: number, end: number, bo: VramBo, offset: number, device = 0): BindResult {
    return this.run(this.vm(device).bindBo({ start: BASE + start, end: BASE + end }, bo, offset))[0];
  }

  user(start: number, end: number, page: number, device = 0): BindResult {
    const span = { start: BASE + start, end: BASE + end };
    return this.run(this.vm(device).bindUserptr(span, vpn(page)))[0];
  }

  unbind(start: number, end: number, device = 0): BindResult {
    return this.run(this.vm(device).unbind({ start: BASE + start, end: BASE + end }))[0];
  }

  /** OK or the errno of the access. */
  poke(page: number, value: number, device = 0): number {
    return this.run(write(this.gpu(device), BASE + page, value))[0];
  }

  peek(page: number, device = 0): number {
    return this.run(read(this.gpu(device), BASE + page))[0];
  }

  inBo(bo: VramBo, page: number): number {
    return bo.load32(this.memory, page, 0);
  }

  /** All rules but content hold at rest, and nothing is left at the end. */
  finish(...bos: VramBo[]): void {
    expect(
      failed(this.verify({ expectations: [] })).filter((name) => name !== 'content' && name !== 'M1'),
    ).toEqual([]);
    for (const bo of bos) bo.put();
    expect(failed(this.tearDown())).toEqual([]);
  }
}

/** OK or the errno of the access. */
export function* write(port: AccessPort, page: number, value: number): Steps<number> {
  const base = yield* holdPage(port, vpn(page), true);
  if (base < 0) return base;
  port.memory.words[base] = value;
  port.release();
  return Errno.OK;
}

/** The first word of the page, or an errno. */
export function* read(port: AccessPort, page: number): Steps<number> {
  const base = yield* holdPage(port, vpn(page), false);
  if (base < 0) return base;
  const value = port.memory.words[base];
  port.release();
  return value;
}
