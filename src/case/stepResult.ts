/** What a step of a case gave: all that expectations can name, as plain data that crosses between threads. */

import { errnoName, isErrno } from '../base/errno.js';
import type { Va, VmOp } from './expectSchemas.js';
import type { PageContent } from './pageContent.js';

/** One page of /proc-like pagemap. */
export interface PagemapEntry {
  readonly present: boolean;
  readonly swap: boolean;
  readonly softDirty: boolean;
}

export interface StepResult {
  /** 0 or a negative errno; or the name of an error of the API that the operation belongs to. */
  readonly ret: number | string;
  /** Pages that a device command got done. */
  readonly cpages?: number;
  /** Rounds of faults. */
  readonly faults?: number;
  /** First page of the buffer that `data` is about. */
  readonly firstPage?: number;
  /** What was read, page by page. */
  readonly data?: readonly PageContent[];
  /** What was there before the operation, page by page. */
  readonly dataBefore?: readonly PageContent[];
  /** One dword, or the result of a check. */
  readonly value?: number;
  /** Bytes that were read, from the start of the buffer. */
  readonly bytes?: Uint8Array;
  /** One byte per page, as the test device reports it. */
  readonly prot?: Uint8Array;
  /** Any JSON value. */
  readonly attr?: unknown;
  /** Where what is expected depends on it, such as `xnack_on`. */
  readonly mode?: string;
  readonly vmOps?: readonly VmOp[];
  /** All GPU mappings after the step. */
  readonly vas?: readonly Va[];
  /** Of each page: `sys`, a device, or `none`. */
  readonly residency?: readonly string[];
  readonly pagemap?: readonly PagemapEntry[];
  /** Another branch had ended the process of the step; absent where none had. */
  readonly isOfEnded?: true;
  /** In words, what is worth telling of a step that failed. */
  readonly note?: string;
  /** Of a step that ran several times, as in a `repeat`: what it gave each time, this result last. */
  readonly rounds?: readonly StepResult[];
}

export function formatRet(ret: number | string): string {
  return typeof ret === 'number' && isErrno(ret) ? errnoName(ret) : String(ret);
}

/** What it returned, with what is worth telling of it. */
export function describeRet({ ret, note }: StepResult): string {
  return `ret ${formatRet(ret)}${note === undefined ? '' : ` (${note})`}`;
}

/** The result of a label, where the same step gave something before. */
export function withRound(before: StepResult | undefined, result: StepResult): StepResult {
  if (before === undefined) return result;
  return { ...result, rounds: [...(before.rounds ?? [before]), ...(result.rounds ?? [result])] };
}

/** An event that a driver reported. */
export interface CaseEvent {
  readonly kind: string;
  /** Number of the address space that it is about. */
  readonly mm: number;
  /** First page of its address, and how many. */
  readonly page: number;
  readonly npages: number;
  readonly trigger: string | null;
}

/** Where a buffer was at the end, to find what events and counts are about. */
export interface BufferPlace {
  readonly process: string;
  readonly mm: number;
  readonly name: string;
  readonly start: number;
  readonly pages: number;
}

/** All that a case gave. */
export interface CaseResults {
  /** By label; of steps in a `repeat`, the last round with all of them. */
  readonly steps: Readonly<Record<string, StepResult>>;
  readonly events: readonly CaseEvent[];
  readonly buffers: readonly BufferPlace[];
  /** Of the processes of `repeat_processes`. */
  readonly exits: readonly number[];
  /** What the readers of `gpu_read_loop` wrote at their end. */
  readonly readerResults: readonly number[];
  /** A step that failed although no expectation names it, such as a store that raised a signal. */
  readonly broken: { readonly step: string; readonly found: string } | null;
}
