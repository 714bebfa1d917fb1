/** Objects by name for the tests of the GPU VM manager. */

import type { Errno } from '../../../src/base/errno.js';
import type { Reservation } from '../../../src/drm/exec/dmaResv.js';
import { GemObject } from '../../../src/drm/gpuvm/gemObject.js';
import { GpuVa, type GpuVaPlace } from '../../../src/drm/gpuvm/gpuVa.js';
import type { GpuVaOpList } from '../../../src/drm/gpuvm/gpuVaOpList.js';
import type { GpuVaOp } from '../../../src/drm/gpuvm/gpuVaOps.js';
import { GpuVm, type GpuVmOptions, resvObjectAlloc } from '../../../src/drm/gpuvm/gpuVm.js';

/** Reservations that are always held: what is tested here is not who locks. */
export function freeForAll(name: string): Reservation {
  return { name, assertHeld: () => {} };
}

export const elsewhere = freeForAll('a reservation of its own');

export class GemObjects {
  private readonly byName = new Map<string, GemObject>();

  get(name: string | null): GemObject | null {
    if (name === null) return null;
    let obj = this.byName.get(name);
    if (obj === undefined) {
      obj = new GemObject(name, 1000, elsewhere);
      this.byName.set(name, obj);
    }
    return obj;
  }

  place(start: number, end: number, name: string | null, offset: number): GpuVaPlace {
    return { start, end, obj: this.get(name), offset };
  }
}

export function newVm(pages = 1000, options: Partial<GpuVmOptions> = {}): GpuVm {
  const resvObject = options.resvObject ?? resvObjectAlloc(freeForAll('of the VM'));
  return new GpuVm('test', { start: 0, end: pages }, { ...options, resvObject });
}

/** The steps; the list is freed. */
export function listed(ops: GpuVaOpList | Errno): readonly GpuVaOp[] {
  if (typeof ops === 'number') throw new Error(`errno ${ops}`);
  ops.free();
  return [...ops];
}

export function plainVa(place: GpuVaPlace): GpuVa {
  return new GpuVa(place);
}

/** `a[10+2] at 0`: how tests write a place. */
export function show(place: GpuVaPlace): string {
  return `${place.obj?.name ?? '-'}[${place.offset}+${place.end - place.start}] at ${place.start}`;
}

export function showAll(vm: GpuVm): string[] {
  return [...vm].map(show);
}

export function showOp(op: GpuVaOp): string {
  if (op.op === 'map') return `map ${show(op.place)}`;
  if (op.op === 'prefetch') return `prefetch ${show(op.va)}`;
  if (op.op === 'unmap') return `unmap ${show(op.va)}${op.keep ? ' keep' : ''}`;
  const parts = [
    op.prev === null ? '' : ` prev ${show(op.prev)}`,
    op.next === null ? '' : ` next ${show(op.next)}`,
  ];
  return `remap ${show(op.unmap.va)}${op.unmap.keep ? ' keep' : ''}${parts.join('')}`;
}
