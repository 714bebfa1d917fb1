/** Where the metadata of pages lies in its shared buffer: one array per field, indexed by pfn. */

import { assert } from '../base/assert.js';

const INT_FIELDS = 8;

/** Bytes of metadata per page: one float64, the int32 fields, one uint8. */
export const FOLIO_BYTES = 8 + INT_FIELDS * 4 + 1;

export class FolioFields {
  readonly indexes: Float64Array;
  readonly refs: Int32Array;
  readonly maps: Int32Array;
  readonly flags: Int32Array;
  readonly mappings: Int32Array;
  readonly zoneDatas: Int32Array;
  readonly lockOwners: Int32Array;
  readonly pageMaps: Int32Array;
  readonly entireMaps: Int32Array;
  readonly orders: Uint8Array;

  /** The same for the same buffer, as long as anybody uses it. */
  static of(buffer: SharedArrayBuffer, pages: number): FolioFields {
    let fields = known.get(buffer);
    if (fields === undefined) {
      fields = new FolioFields(buffer, pages);
      known.set(buffer, fields);
    }
    return fields;
  }

  private constructor(buffer: SharedArrayBuffer, pages: number) {
    assert(buffer.byteLength === pages * FOLIO_BYTES, 'folio table buffer does not match its layout');
    const field = (i: number): Int32Array => new Int32Array(buffer, pages * (8 + 4 * i), pages);
    this.indexes = new Float64Array(buffer, 0, pages);
    this.refs = field(0);
    this.maps = field(1);
    this.flags = field(2);
    this.mappings = field(3);
    this.zoneDatas = field(4);
    this.lockOwners = field(5);
    this.pageMaps = field(6);
    this.entireMaps = field(7);
    this.orders = new Uint8Array(buffer, pages * (8 + 4 * INT_FIELDS), pages);
  }

  /** Whether a page of `[first, end)` has a reference, a mapping, a lock or zone data. */
  anyUsed(first: number, end: number): boolean {
    const { refs, maps, pageMaps, entireMaps, lockOwners, zoneDatas } = this;
    let used = 0;
    for (let page = first; page < end; page++) {
      used |=
        refs[page] | maps[page] | pageMaps[page] | entireMaps[page] | lockOwners[page] | zoneDatas[page];
    }
    return used !== 0;
  }

  /** What else is known of pages that nobody uses. */
  wipe(first: number, end: number): void {
    this.flags.fill(0, first, end);
    this.orders.fill(0, first, end);
    this.mappings.fill(0, first, end);
    this.indexes.fill(0, first, end);
  }

  /** What makes the pages behind the first those of one folio. */
  wipeTails(first: number, end: number): void {
    this.flags.fill(0, first + 1, end);
    this.mappings.fill(0, first + 1, end);
  }
}

const known = new WeakMap<SharedArrayBuffer, FolioFields>();
