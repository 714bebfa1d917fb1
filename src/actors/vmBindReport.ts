/** Turns steps and mappings of GPU address spaces into what VM_BIND calls hand back. */

import { unreachable } from '../base/assert.js';
import type { BindResult } from '../driver/vmBind/deviceVm.js';
import type { DriverVa } from '../driver/vmBind/driverVa.js';
import type { GemObject } from '../drm/gpuvm/gemObject.js';
import type { GpuVaPlace } from '../drm/gpuvm/gpuVa.js';
import type { GpuVaOp } from '../drm/gpuvm/gpuVaOps.js';
import type { VaOpReport, VaPlaceReport, VaReport } from '../uapi/vmBindReport.js';

/** The handle of an object. */
export type HandleOf = (obj: GemObject) => number;

export function reportOps({ ops }: BindResult, handleOf: HandleOf): VaOpReport[] {
  return ops.map((op) => reportOp(op, handleOf));
}

export function reportVa(va: DriverVa, handleOf: HandleOf): VaReport {
  return { ...reportPlace(va, handleOf), kind: va.kind };
}

function reportOp(op: GpuVaOp, handleOf: HandleOf): VaOpReport {
  const placeOrNull = (place: GpuVaPlace | null): VaPlaceReport | null =>
    place === null ? null : reportPlace(place, handleOf);
  switch (op.op) {
    case 'map':
      return { op: 'map', place: reportPlace(op.place, handleOf) };
    case 'unmap':
      return { op: 'unmap', va: reportPlace(op.va, handleOf), keep: op.keep };
    case 'remap':
      return {
        op: 'remap',
        unmap: reportPlace(op.unmap.va, handleOf),
        keep: op.unmap.keep,
        prev: placeOrNull(op.prev),
        next: placeOrNull(op.next),
      };
    case 'prefetch':
      throw new Error('a bind does not prefetch');
    default:
      return unreachable(op);
  }
}

function reportPlace({ start, end, obj, offset }: GpuVaPlace, handleOf: HandleOf): VaPlaceReport {
  return { start, end, bo: obj === null ? 0 : handleOf(obj), offset };
}
