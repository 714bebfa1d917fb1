/** An open file: what an area refers to, and what its mappings may do. */

import { assert } from '../../base/assert.js';
import type { AddressSpace } from './addressSpace.js';
import type { FileType } from './fileType.js';

/** Each area and the opener hold one reference; `PageCache.close` drops one. @kernel file */
export class MappedFile {
  /** @kernel f_count */
  references = 1;

  constructor(
    readonly mapping: AddressSpace,
    readonly type: FileType,
    /** Opened for writing, so that a shared mapping may be writable. @kernel FMODE_WRITE */
    readonly isWritable: boolean,
  ) {}

  /** @kernel get_file */
  get(): void {
    assert(this.references > 0, 'a closed file is used');
    this.references++;
  }
}
