/** What VM_BIND calls hand back in their payload: the steps of a request and the mappings of a span, as plain data. */

import { unreachable } from '../base/assert.js';
import type { BindResult } from '../driver/vmBind/deviceVm.js';
import type { DriverVa, VaKind } from '../driver/vmBind/driverVa.js';
import type { GemObject } from '../drm/gpuvm/gemObject.js';
import type { GpuVaPlace } from '../drm/gpuvm/gpuVa.js';
import type { GpuVaOp } from '../drm/gpuvm/gpuVaOps.js';

/** In pages; `bo` is the object's handle, 0 without one, and then the offset is the driver's. */
export interface VaPlaceReport {
  readonly start: number;
  /** One past the last. */
  readonly end: number;
  readonly bo: number;
  readonly offset: number;
}

export interface VaReport extends VaPlaceReport {
  readonly kind: VaKind;
}

/** One step of a request. */
export type VaOpReport =
  | { readonly op: 'map'; readonly place: VaPlaceReport }
  | { readonly op: 'unmap'; readonly va: VaPlaceReport; readonly keep: boolean }
  | {
      readonly op: 'remap';
      readonly unmap: VaPlaceReport;
      readonly keep: boolean;
      readonly prev: VaPlaceReport | null;
      readonly next: VaPlaceReport | null;
    };

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
