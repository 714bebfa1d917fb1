/** The calls that a trace is read for: how each is decoded, and how it orders among others. */

import { assert } from '../../base/assert.js';
import { pageOf, pagesFor } from '../../base/units.js';
import {
  decodeBrk,
  decodeMadvise,
  decodeMmap,
  decodeMprotect,
  decodeMremap,
  decodeMunmap,
  decodeTouch,
} from './decodeMapping.js';
import { decodeClone, decodeExec, decodeExit, decodeFork, decodeVfork } from './decodeProcess.js';
import type { EffectPoint, PageSpan } from './effectOrder.js';
import type { MmCall } from './mmCall.js';
import type { RawCall } from './rawCall.js';

interface Decoder {
  readonly decode: (raw: RawCall) => MmCall;
  readonly effect: EffectPoint;
}

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['mmap', { decode: decodeMmap, effect: 'end' }],
  ['mmap2', { decode: decodeMmap, effect: 'end' }],
  ['munmap', { decode: decodeMunmap, effect: 'start' }],
  ['mprotect', { decode: decodeMprotect, effect: 'start' }],
  ['pkey_mprotect', { decode: decodeMprotect, effect: 'start' }],
  ['madvise', { decode: decodeMadvise, effect: 'start' }],
  ['mremap', { decode: decodeMremap, effect: 'end' }],
  ['brk', { decode: decodeBrk, effect: 'end' }],
  ['touch', { decode: decodeTouch, effect: 'start' }],
  ['fork', { decode: decodeFork, effect: 'start' }],
  ['vfork', { decode: decodeVfork, effect: 'start' }],
  ['clone', { decode: decodeClone, effect: 'start' }],
  ['clone3', { decode: decodeClone, effect: 'start' }],
  ['execve', { decode: decodeExec, effect: 'end' }],
  ['execveat', { decode: decodeExec, effect: 'end' }],
  ['exit', { decode: decodeExit, effect: 'start' }],
  ['_exit', { decode: decodeExit, effect: 'start' }],
  ['exit_group', { decode: decodeExit, effect: 'start' }],
]);

/** Null for a call that is none of an MmCall's kinds. */
export function effectPointOf(name: string): EffectPoint | null {
  return DECODERS.get(name)?.effect ?? null;
}

/** Throws a TraceError for arguments that the call cannot have. `raw.name` must have an effect point. */
export function decodeMmCall(raw: RawCall): MmCall {
  const decoder = DECODERS.get(raw.name);
  assert(decoder !== undefined, () => `${raw.name} is no call that a trace is read for`);
  return decoder.decode(raw);
}

/** The pages that a call under way may give back before it ends, from the arguments that its start shows; null for none. */
export function givenBackBy(name: string, args: string): PageSpan | null {
  const source = name === 'mremap' ? /^(0x[0-9a-f]+), (0x[0-9a-f]+|[0-9]+),/.exec(args) : null;
  if (source === null) return null;
  const start = pageOf(Number(source[1]));
  return { start, end: start + pagesFor(Number(source[2])) };
}

/** The calls that never return, so that `= ?` is a complete result. */
export function isExit(name: string): boolean {
  return name === 'exit' || name === 'exit_group' || name === '_exit';
}

/** The calls during which a new process can speak before its parent does. */
export function isClone(name: string): boolean {
  return name === 'clone' || name === 'clone3' || name === 'fork' || name === 'vfork';
}
