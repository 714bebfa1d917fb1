/** What a case tells a GPU to do: plain data in the payload of the thread that launches it. */

import type { Pattern } from '../../case/values.js';

/** Dwords are counted from the start of `page`. */
export type GpuCommand =
  | {
      readonly kind: 'store';
      readonly page: number;
      readonly dword: number;
      readonly count: number;
      readonly value: number;
    }
  | { readonly kind: 'increment'; readonly page: number; readonly dword: number; readonly count: number }
  | { readonly kind: 'copy'; readonly from: number; readonly to: number; readonly npages: number }
  | {
      readonly kind: 'copyDword';
      readonly from: number;
      readonly fromDword: number;
      readonly to: number;
      readonly toDword: number;
    }
  | {
      readonly kind: 'update';
      readonly page: number;
      readonly npages: number;
      readonly how: 'add' | 'xor';
      readonly value: number;
    }
  | {
      readonly kind: 'write';
      readonly page: number;
      readonly npages: number;
      readonly pattern: Pattern;
      /** Which page of its buffer the first one is. */
      readonly firstPage: number;
    }
  | { readonly kind: 'read'; readonly page: number; readonly npages: number }
  | {
      readonly kind: 'storeBytes';
      readonly page: number;
      readonly npages: number;
      readonly start: number;
      readonly stride: number;
      readonly value: number;
    }
  | { readonly kind: 'prefetchHint'; readonly page: number; readonly lanes: number }
  | { readonly kind: 'readLoop'; readonly pages: readonly number[]; readonly rounds: number }
  | { readonly kind: 'buildLists'; readonly page: number; readonly lists: number; readonly length: number }
  | { readonly kind: 'verifyLists'; readonly page: number; readonly lists: number; readonly length: number };

export type GpuCommandKind = GpuCommand['kind'];

/** What a kernel leaves in the payload; pages that were read are in its data. */
export interface GpuCommandResult {
  /** A count that the command defines; 0 for most. */
  readonly value: number;
  /** How often the context had to ask for pages. */
  readonly faults: number;
}
