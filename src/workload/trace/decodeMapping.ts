/** Decodes the calls that change mappings: mmap, munmap, mprotect, madvise, mremap and brk. */

import { PAGE_BYTES, pageOf, pagesFor, TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import type { MmCall } from './mmCall.js';
import { type RawCall, splitArgs, succeeded } from './rawCall.js';
import { parseAdvice, parseMapFlags, parseProt, parseRemapFlags } from './straceFlags.js';
import { parseSigned, parseUnsigned } from './straceValue.js';
import { TraceError } from './traceError.js';

export function decodeMmap(raw: RawCall): MmCall {
  const parts = splitArgs(raw, 'address, length, prot, flags, fd, offset', 6, Number.POSITIVE_INFINITY);
  const [hint = '', length = '', prot = '', flags = '', fd = ''] = parts;
  // A decorated descriptor may hold commas (`3</tmp/a, b>`), so the offset is the last part, whichever that is.
  const offset = parts[parts.length - 1] ?? '';
  const { where } = raw;
  const { flags: mapFlags, hasType } = parseMapFlags(flags, where);
  if (!hasType && succeeded(raw)) {
    throw new TraceError(where, `mmap flags ${flags}`, 'MAP_PRIVATE, MAP_SHARED or MAP_SHARED_VALIDATE');
  }
  const npages = parsePages(length, raw);
  return {
    kind: 'mmap',
    hint: hint === 'NULL' ? null : pageOf(parseUnsigned(hint, 'mmap address', where)),
    npages,
    prot: parseProt(prot, where).prot,
    flags: mapFlags,
    fd: parseSigned(fd, 'mmap descriptor', where),
    offsetPages: pageOf(parseUnsigned(offset, 'mmap offset', where)),
    result: resultPage(npages, raw),
  };
}

export function decodeMunmap(raw: RawCall): MmCall {
  const [start = '', length = ''] = splitArgs(raw, 'address, length', 2, 2);
  return { kind: 'munmap', ...parseRange(start, length, raw) };
}

export function decodeMprotect(raw: RawCall): MmCall {
  const [start = '', length = '', prot = ''] = splitArgs(raw, 'address, length, prot', 3, 4);
  return { kind: 'mprotect', ...parseRange(start, length, raw), ...parseProt(prot, raw.where) };
}

export function decodeMadvise(raw: RawCall): MmCall {
  const [start = '', length = '', advice = ''] = splitArgs(raw, 'address, length, advice', 3, 3);
  return { kind: 'madvise', ...parseRange(start, length, raw), advice: parseAdvice(advice, raw.where) };
}

export function decodeMremap(raw: RawCall): MmCall {
  const parts = splitArgs(raw, 'old address, old length, new length, flags[, new address]', 4, 5);
  const [from = '', fromLength = '', toLength = '', flags = '', target] = parts;
  const old = parseRange(from, fromLength, raw);
  const toPages = parsePages(toLength, raw);
  return {
    kind: 'mremap',
    from: old.start,
    fromPages: old.npages,
    toPages,
    flags: parseRemapFlags(flags, raw.where),
    target: target === undefined ? null : pageOf(parseUnsigned(target, 'mremap new address', raw.where)),
    result: resultPage(toPages, raw),
  };
}

export function decodeBrk(raw: RawCall): MmCall {
  const [request = ''] = splitArgs(raw, 'address', 1, 1);
  const requestBytes = request === 'NULL' ? null : parseUnsigned(request, 'brk address', raw.where);
  const breakBytes = raw.result.value;
  if (succeeded(raw)) checkInAddressSpace(breakBytes, 0, raw);
  return { kind: 'brk', requestBytes, breakBytes };
}

/** Of traces that were imported from tools that record page faults. */
export function decodeTouch(raw: RawCall): MmCall {
  const [text = '', prot = ''] = splitArgs(raw, 'address, PROT_READ or PROT_WRITE', 2, 2);
  const address = parseUnsigned(text, 'touch address', raw.where);
  checkInAddressSpace(address, 1, raw);
  return { kind: 'touch', page: pageOf(address), write: parseProt(prot, raw.where).prot.write };
}

function resultPage(npages: number, raw: RawCall): Vpn | null {
  if (!succeeded(raw)) return null;
  checkAligned(raw.result.value, raw);
  checkInAddressSpace(raw.result.value, npages, raw);
  return pageOf(raw.result.value);
}

function parseRange(start: string, length: string, raw: RawCall): { start: Vpn; npages: number } {
  const address = parseUnsigned(start, `${raw.name} address`, raw.where);
  const npages = parsePages(length, raw);
  if (succeeded(raw)) {
    checkAligned(address, raw);
    checkInAddressSpace(address, npages, raw);
  }
  return { start: pageOf(address), npages };
}

function parsePages(length: string, raw: RawCall): number {
  return pagesFor(parseUnsigned(length, `${raw.name} length`, raw.where));
}

function checkAligned(address: number, raw: RawCall): void {
  if (address % PAGE_BYTES === 0) return;
  throw new TraceError(
    raw.where,
    `${raw.name} that succeeded at 0x${address.toString(16)}`,
    `multiples of ${PAGE_BYTES}`,
  );
}

function checkInAddressSpace(address: number, npages: number, raw: RawCall): void {
  if (pagesFor(address) + npages <= TASK_SIZE_PAGES) return;
  throw new TraceError(
    raw.where,
    `${raw.name} that succeeded at 0x${address.toString(16)} with ${npages} pages`,
    `addresses below 0x${(TASK_SIZE_PAGES * PAGE_BYTES).toString(16)}`,
  );
}
