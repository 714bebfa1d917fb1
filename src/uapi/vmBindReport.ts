/** What VM_BIND calls hand back in their payload: the steps of a request and the mappings of a span, as plain data. */

/** In pages; `bo` is the object's handle, 0 without one, and then the offset is the driver's. */
export interface VaPlaceReport {
  readonly start: number;
  /** One past the last. */
  readonly end: number;
  readonly bo: number;
  readonly offset: number;
}

export interface VaReport extends VaPlaceReport {
  readonly kind: 'bo' | 'userptr' | 'mirror' | 'sparse';
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
