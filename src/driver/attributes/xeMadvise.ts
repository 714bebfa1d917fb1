/** What one device's mirror has been told about spans of the address space: the madvise ioctl of xe. */

import { RangeMap } from '../../base/rangeMap.js';
import type { Vpn } from '../../base/units.js';
import type { PageSpan } from '../../drm/gpuvm/addressRange.js';
import { Location, type Place } from './location.js';

/** Who does atomics on the pages. @kernel DRM_XE_ATOMIC_* */
export const AtomicMode = { Undefined: 0, Device: 1, Global: 2, Cpu: 3 } as const;
export type AtomicMode = (typeof AtomicMode)[keyof typeof AtomicMode];

/** Immutable. @kernel xe_vma_mem_attr */
export interface MirrorAttributes {
  readonly preferred: Place;
  /** Remembered and compared; placement does not ask for it. @kernel DRM_XE_MIGRATE_ONLY_SYSTEM_PAGES */
  readonly onlySystemPages: boolean;
  readonly atomics: AtomicMode;
}

/** @kernel xe_vma_mem_attr defaults */
export const defaultMirrorAttributes: MirrorAttributes = {
  preferred: Location.Faulting,
  onlySystemPages: false,
  atomics: AtomicMode.Undefined,
};

function same(a: MirrorAttributes, b: MirrorAttributes): boolean {
  return a.preferred === b.preferred && a.onlySystemPages === b.onlySystemPages && a.atomics === b.atomics;
}

/** Only spans that differ from the default are in the map. @kernel xe_vm_madvise_ioctl */
export class XeMadvise {
  readonly map = new RangeMap<MirrorAttributes>(same);

  /** Undefined: nothing was said. */
  find(page: Vpn): MirrorAttributes | undefined {
    return this.map.get(page);
  }

  /** Returns the spans for which this is news. @kernel madvise_preferred_mem_loc */
  setPreferred(start: Vpn, end: Vpn, preferred: Place, onlySystemPages: boolean): PageSpan[] {
    return this.change(start, end, (old) => ({ ...old, preferred, onlySystemPages }));
  }

  /** Returns the spans for which this is news. @kernel madvise_atomic */
  setAtomics(start: Vpn, end: Vpn, atomics: AtomicMode): PageSpan[] {
    return this.change(start, end, (old) => ({ ...old, atomics }));
  }

  /** What was said of a span is forgotten. Whether there was anything. @kernel xe_svm_range_set_default_attr, xe_vma_has_default_mem_attrs */
  reset(start: Vpn, end: Vpn): boolean {
    const wasTold = [...this.map.pieces(start, end)].some(({ value }) => value !== undefined);
    this.map.delete(start, end);
    return wasTold;
  }

  /** The part of [start, end) around `page` in which nothing changes: a range may not reach beyond it. */
  uniform(page: Vpn, start: Vpn, end: Vpn): { start: Vpn; end: Vpn } {
    const piece = this.map.pieceAt(page, start, end);
    return { start: piece.start as Vpn, end: piece.end as Vpn };
  }

  private change(start: Vpn, end: Vpn, change: (old: MirrorAttributes) => MirrorAttributes): PageSpan[] {
    const news = [...this.map.pieces(start, end)].filter(({ value = defaultMirrorAttributes }) => {
      return !same(value, change(value));
    });
    this.map.update(start, end, (old) => {
      const changed = change(old ?? defaultMirrorAttributes);
      return same(changed, defaultMirrorAttributes) ? undefined : changed;
    });
    return news;
  }
}
