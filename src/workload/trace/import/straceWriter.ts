/** Writes what other tools have recorded as strace would have printed it, which is the form that scenarios use. */

import { constants } from 'node:os';
import type { ImportedItem, NamedArguments } from './importedItem.js';

/** strace takes small stamps for times since the line before. */
const EPOCH_SECONDS = 1_700_000_000;
/** The largest errno of the kernel. */
const ERRNO_MAX = 4095;
const WORD = 2n ** 64n;

type Format = (value: string) => string;

interface Argument {
  /** As tools call it; the first that is there counts. */
  readonly names: readonly string[];
  readonly format: Format;
  /** Of a missing one. */
  readonly missing: string;
}

const number: Format = (value) => value;
const address: Format = (value) => (/^(?:0x0*|0+|NULL)$/.test(value) ? 'NULL' : value);

/** `READ|WRITE` with the prefix that strace prints; what has one, and numbers, stay. */
function flags(prefix: string): Format {
  const named = (token: string): string =>
    /^[0-9]/.test(token) || token.startsWith(prefix) ? token : `${prefix}${token}`;
  return (value) => value.split('|').map(named).join('|');
}

/** A descriptor is 32 bits of a 64-bit number: 0xffffffff is -1. */
const descriptor: Format = (value) => {
  const parsed = Number(value);
  return Number.isFinite(parsed) ? String(parsed | 0) : value;
};

function argument(names: readonly string[], format: Format, missing = '0'): Argument {
  return { names, format, missing };
}

const start = argument(['start', 'addr'], address, 'NULL');
const length = argument(['len', 'len_in', 'length'], number);
const prot = argument(['prot'], flags('PROT_'), 'PROT_NONE');

/** By call, its arguments in their order. */
const signatures: Readonly<Record<string, readonly Argument[]>> = {
  mmap: [
    start,
    length,
    prot,
    argument(['flags'], flags('MAP_')),
    argument(['fd'], descriptor, '-1'),
    argument(['off', 'offset', 'pgoff'], number),
  ],
  munmap: [start, length],
  mprotect: [start, length, prot],
  pkey_mprotect: [start, length, prot, argument(['pkey'], descriptor)],
  madvise: [start, length, argument(['behavior', 'advice'], flags('MADV_'))],
  mremap: [
    start,
    argument(['old_len'], number),
    argument(['new_len'], number),
    argument(['flags'], flags('MREMAP_')),
    argument(['new_addr'], address, 'NULL'),
  ],
  brk: [argument(['brk'], address, 'NULL')],
  exit: [argument(['error_code', 'status'], descriptor)],
  exit_group: [argument(['error_code', 'status'], descriptor)],
  fork: [],
  vfork: [],
};

const errnoNames = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));
const EXITS: ReadonlySet<string> = new Set(['exit', 'exit_group']);

/** Whether traces are read for the call. */
export function isMemoryCall(name: string): boolean {
  return (
    Object.hasOwn(signatures, name) ||
    name === 'execve' ||
    name === 'execveat' ||
    name === 'clone' ||
    name === 'clone3'
  );
}

/** One line for one item; null for one that says nothing about memory. `borrows`: a clone of unknown flags whose child replaces its program. */
export function straceLine(item: ImportedItem, borrows: boolean): string | null {
  if (item.kind === 'other') return null;
  const stamp = item.seconds === null ? '' : `${(EPOCH_SECONDS + item.seconds).toFixed(6)} `;
  const head = `${item.pid === 0 ? '' : `${item.pid} `}${stamp}`;
  switch (item.kind) {
    case 'touch':
      return `${head}touch(0x${item.address.toString(16)}, ${item.isWrite ? 'PROT_WRITE' : 'PROT_READ'}) = 0`;
    case 'begun': {
      const call = `${head}${item.name}(${argumentText(item.name, item.args, borrows)}`;
      return EXITS.has(item.name) ? `${call}) = ?` : `${call} <unfinished ...>`;
    }
    case 'ended':
      return `${head}<... ${item.name} resumed>) = ${resultText(item.result)}`;
    case 'call': {
      const { name, args, result } = item;
      return `${head}${name}(${argumentText(name, args, borrows)}) = ${resultText(result)}`;
    }
  }
}

function argumentText(name: string, args: NamedArguments, borrows: boolean): string {
  if (name.startsWith('execve')) return '"program"';
  if (name.startsWith('clone')) return `flags=${cloneFlags(args, borrows)}`;
  const parts = (signatures[name] ?? []).map(({ names, format, missing }) => {
    const given = names.map((key) => args.get(key)).find((value) => value !== undefined);
    return given === undefined ? missing : format(given);
  });
  return parts.join(', ');
}

/** clone3 keeps its flags in memory, which these tools do not show: most make threads, and the others lend their memory until an exec. */
function cloneFlags(args: NamedArguments, borrows: boolean): string {
  const given = args.get('clone_flags') ?? args.get('flags');
  if (given !== undefined) return flags('CLONE_')(given);
  return borrows ? 'CLONE_VM|CLONE_VFORK' : 'CLONE_VM|CLONE_THREAD';
}

/** What strace prints right of the equals sign: failures by name. */
function resultText(text: string): string {
  const [first = ''] = text.trim().split(' ');
  if (first === '' || first === '?') return '?';
  if (/^-1 E[A-Z0-9]+/.test(text.trim())) return text.trim();
  const failed = errnoOf(first);
  return failed === null ? first : `-1 ${errnoNames.get(failed) ?? `(errno ${failed})`}`;
}

/** Of a negative number, which trace buffers print as an unsigned 64-bit one. */
function errnoOf(text: string): number | null {
  if (!/^-?(?:0x[0-9a-f]+|[0-9]+)$/.test(text)) return null;
  const negative = text.startsWith('-') ? BigInt(text.slice(1)) : WORD - BigInt(text);
  return negative > 0n && negative <= BigInt(ERRNO_MAX) ? Number(negative) : null;
}
