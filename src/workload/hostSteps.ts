/** Steps that host programs share: mapping buffers, filling them, launching on all devices, and reading back. */

import { assert } from '../base/assert.js';
import { Errno, errnoName, isErrno } from '../base/errno.js';
import { formatVpn, PAGE_WORDS, type Vpn, vpn } from '../base/units.js';
import { holdPage } from '../memory/accessPort.js';
import type { PhysicalMemory } from '../memory/physicalMemory.js';
import type { Steps } from '../sim/steps.js';
import type { PagedBuffer } from './pagedBuffer.js';
import { type Expectation, type HostContext, MapFlag, Prot, type WorkloadResult } from './workload.js';
import { WorkloadStep } from './workloadStep.js';

export const PROT_RW = Prot.Read | Prot.Write;

/** A negative result of a call or of `holdPage` as what it is. */
export function toErrno(result: number): Errno {
  assert(isErrno(result), () => `${result} is no errno`);
  return result;
}

/** Private anonymous memory, readable and writable, exactly there where nothing may be mapped. */
export function* mapBuffer(host: HostContext, start: Vpn, npages: number): Steps<Errno> {
  const result = yield* host.mmap(start, npages, PROT_RW, MapFlag.FixedNoReplace);
  if (result < 0) return toErrno(result);
  assert(result === start, () => `mmap at ${formatVpn(start)} gave ${formatVpn(result)}`);
  return Errno.OK;
}

/** Stores the content of `count` elements from `first` on at `base` in `memory.floats` or `memory.words`. */
export type FillPage = (memory: PhysicalMemory, base: number, first: number, count: number) => void;

/** Fills a buffer through the CPU thread's own stores, as far as it gets; `onPage` is called once a page is filled. */
export function* fillBuffer(
  host: HostContext,
  buffer: PagedBuffer,
  fill: FillPage,
  onPage: () => void,
): Steps<Errno> {
  for (let index = 0; index < buffer.npages && !host.stopping; index++) {
    if (host.gate.isClosed) yield* host.gate.pass();
    const base = yield* holdPage(host, vpn(buffer.start + index), true);
    if (base < 0) return toErrno(base);
    fill(host.memory, base, index * PAGE_WORDS, buffer.elementsInPage(index));
    host.release();
    onPage();
    yield WorkloadStep.page;
  }
  return Errno.OK;
}

/** One phase on every device at the same time, all contexts; the first error in order of devices, else OK. */
export function* launchAll(host: HostContext, phase: number, a = 0, b = 0): Steps<Errno> {
  const launches = Array.from({ length: host.deviceCount }, (_, device) => host.launch(device, phase, a, b));
  return firstError(yield* host.parallel(launches));
}

/** -EINTR, that the run ended meanwhile, only where nothing went wrong. */
export function firstError(errnos: readonly Errno[]): Errno {
  const wrong = errnos.find((errno) => errno !== Errno.OK && errno !== Errno.EINTR);
  return wrong ?? errnos.find((errno) => errno !== Errno.OK) ?? Errno.OK;
}

export interface Comparison {
  readonly pages: number;
  readonly mismatches: number;
  /** The first page that differs or cannot be read; null for none. */
  readonly first: string | null;
}

/** Reads pages through the CPU thread's own loads and compares each with what it must hold, until it is stopped. */
export function* comparePages(host: HostContext, expectations: readonly Expectation[]): Steps<Comparison> {
  let pages = 0;
  let mismatches = 0;
  let first: string | null = null;
  for (const { start, npages, check } of expectations) {
    for (let page = start; page < start + npages && !host.stopping; page = vpn(page + 1)) {
      if (host.gate.isClosed) yield* host.gate.pass();
      const wrong = yield* comparePage(host, page, check);
      pages++;
      if (wrong !== null) {
        mismatches++;
        first ??= `page ${formatVpn(page)}: ${wrong}`;
      }
      yield WorkloadStep.page;
    }
  }
  return { pages, mismatches, first };
}

function* comparePage(host: HostContext, page: Vpn, check: Expectation['check']): Steps<string | null> {
  const base = yield* holdPage(host, page, false);
  if (base < 0) return `load gives ${errnoName(toErrno(base))}`;
  const wrong = check(page, host.memory.words.subarray(base, base + PAGE_WORDS));
  host.release();
  return wrong;
}

/** The result of a program that a failed call or access has ended. */
export function failure(
  workload: string,
  what: string,
  errno: Errno,
  counts: Readonly<Record<string, number>> = {},
): WorkloadResult {
  return { workload, ok: false, detail: `${what} gives ${errnoName(errno)}`, counts };
}
