/** Symbol tables of the flag arguments that strace prints, and the parsers of `A|B|0x20` mixtures. */

import {
  ADVICE_NUMBERS,
  type Advice,
  type MapFlags,
  type NamedAdvice,
  type PageProt,
  type RemapFlags,
} from './mmCall.js';
import { TraceError, type TraceLine } from './traceError.js';

// Values of x86-64, from include/uapi/asm-generic/mman-common.h, mman.h and include/uapi/linux/{mman,sched}.h.

const PROT = {
  PROT_NONE: 0,
  PROT_READ: 1,
  PROT_WRITE: 2,
  PROT_EXEC: 4,
  PROT_SEM: 8,
  PROT_GROWSDOWN: 0x01000000,
  PROT_GROWSUP: 0x02000000,
} as const;

const MAP = {
  MAP_FILE: 0,
  MAP_SHARED: 1,
  MAP_PRIVATE: 2,
  MAP_SHARED_VALIDATE: 3,
  MAP_DROPPABLE: 8,
  MAP_FIXED: 0x10,
  MAP_ANONYMOUS: 0x20,
  MAP_ANON: 0x20,
  MAP_32BIT: 0x40,
  MAP_ABOVE4G: 0x80,
  MAP_GROWSDOWN: 0x100,
  MAP_DENYWRITE: 0x800,
  MAP_EXECUTABLE: 0x1000,
  MAP_LOCKED: 0x2000,
  MAP_NORESERVE: 0x4000,
  MAP_POPULATE: 0x8000,
  MAP_NONBLOCK: 0x10000,
  MAP_STACK: 0x20000,
  MAP_HUGETLB: 0x40000,
  MAP_SYNC: 0x80000,
  MAP_FIXED_NOREPLACE: 0x100000,
  MAP_UNINITIALIZED: 0x4000000,
} as const;

const MAP_TYPE_MASK = 0xf;

const MREMAP = { MREMAP_MAYMOVE: 1, MREMAP_FIXED: 2, MREMAP_DONTUNMAP: 4 } as const;

const CLONE = { CLONE_VM: 0x100, CLONE_VFORK: 0x4000 } as const;

interface FlagTable {
  readonly bits: ReadonlyMap<string, number>;
  /** What a token may be that is neither in `bits` nor a number. */
  readonly ignored: RegExp;
  readonly allowed: string;
}

/** What came before: a trace has millions of flags and a handful of combinations, which its calls share. */
type Known<T> = Map<string, T>;
const MAX_KNOWN = 1024;

interface ParsedProt {
  readonly prot: PageProt;
  readonly growsDown: boolean;
}

interface ParsedMapFlags {
  readonly flags: MapFlags;
  /** False where neither MAP_SHARED nor MAP_PRIVATE nor a variant is given, which the kernel refuses. */
  readonly hasType: boolean;
}

const knownProts: Known<ParsedProt> = new Map();
const knownMapFlags: Known<ParsedMapFlags> = new Map();

/** The page size of a huge-page mapping, which is no flag: `21<<MAP_HUGE_SHIFT`. */
const HUGE_PAGE_SIZE = /^[0-9]+<<MAP_HUGE_SHIFT$/;
const NOTHING = /^$/;
/** strace joins the signal that a child's death sends to the clone flags. */
const CLONE_OR_SIGNAL = /^(?:CLONE|SIG)[A-Z0-9_]*$/;

/** Of other architectures: no rights that count here. */
const PROT_OF_OTHERS = /^PROT_(?:BTI|MTE|ADI|SAO)$/;

const PROT_TABLE = flagTable(PROT, PROT_OF_OTHERS);
const MAP_TABLE = flagTable(MAP, HUGE_PAGE_SIZE);
const MREMAP_TABLE = flagTable(MREMAP, NOTHING);
const CLONE_TABLE = flagTable(CLONE, CLONE_OR_SIGNAL, 'numbers, CLONE_* and SIG* names, joined by |');

const adviceBySymbol = new Map<string, NamedAdvice>();
const adviceByNumber = new Map<number, NamedAdvice>();
for (const advice of Object.keys(ADVICE_NUMBERS).filter(isNamedAdvice)) {
  adviceBySymbol.set(`MADV_${advice.toUpperCase()}`, advice);
  adviceByNumber.set(ADVICE_NUMBERS[advice], advice);
}

const NUMBER = /^(?:0x[0-9a-f]+|[0-9]+)$/;

export function parseProt(text: string, where: TraceLine): ParsedProt {
  return knownProts.get(text) ?? remember(knownProts, text, protOf(parseBits(text, PROT_TABLE, where)));
}

function protOf(bits: number): ParsedProt {
  return {
    prot: {
      read: has(bits, PROT.PROT_READ),
      write: has(bits, PROT.PROT_WRITE),
      exec: has(bits, PROT.PROT_EXEC),
    },
    growsDown: has(bits, PROT.PROT_GROWSDOWN),
  };
}

export function parseMapFlags(text: string, where: TraceLine): ParsedMapFlags {
  return (
    knownMapFlags.get(text) ?? remember(knownMapFlags, text, mapFlagsOf(parseBits(text, MAP_TABLE, where)))
  );
}

function mapFlagsOf(bits: number): ParsedMapFlags {
  const type = bits & MAP_TYPE_MASK;
  const shared = type === MAP.MAP_SHARED || type === MAP.MAP_SHARED_VALIDATE;
  return {
    hasType: shared || type === MAP.MAP_PRIVATE || type === MAP.MAP_DROPPABLE,
    flags: {
      shared,
      anonymous: has(bits, MAP.MAP_ANONYMOUS),
      fixed: has(bits, MAP.MAP_FIXED),
      noReplace: has(bits, MAP.MAP_FIXED_NOREPLACE),
      noreserve: has(bits, MAP.MAP_NORESERVE),
      stack: has(bits, MAP.MAP_STACK),
      growsDown: has(bits, MAP.MAP_GROWSDOWN),
      populate: has(bits, MAP.MAP_POPULATE),
      locked: has(bits, MAP.MAP_LOCKED),
      hugetlb: has(bits, MAP.MAP_HUGETLB),
    },
  };
}

export function parseRemapFlags(text: string, where: TraceLine): RemapFlags {
  const bits = parseBits(text, MREMAP_TABLE, where);
  return {
    mayMove: has(bits, MREMAP.MREMAP_MAYMOVE),
    fixed: has(bits, MREMAP.MREMAP_FIXED),
    dontUnmap: has(bits, MREMAP.MREMAP_DONTUNMAP),
  };
}

/** Whether a clone shares the address space, and whether its parent waits for the child. */
export function parseCloneFlags(text: string, where: TraceLine): { vm: boolean; vfork: boolean } {
  const bits = parseBits(text, CLONE_TABLE, where);
  return { vm: has(bits, CLONE.CLONE_VM), vfork: has(bits, CLONE.CLONE_VFORK) };
}

export function parseAdvice(text: string, where: TraceLine): Advice {
  const named = adviceBySymbol.get(text);
  if (named !== undefined) return named;
  if (NUMBER.test(text)) return adviceByNumber.get(Number(text)) ?? 'unknown';
  throw new TraceError(
    where,
    `advice ${text}`,
    `a number or one of ${[...adviceBySymbol.keys()].join(', ')}`,
  );
}

/**
 * Numbers are what strace prints for bits that it has no name for; they count, whatever they mean. Flags of clone3 are 64 bits wide, but
 * all that matter are in the low word, which is what bit operators keep.
 */
function parseBits(text: string, table: FlagTable, where: TraceLine): number {
  let bits = 0;
  for (const token of text.split('|')) {
    const named = table.bits.get(token);
    if (named !== undefined) bits |= named;
    else if (NUMBER.test(token)) bits |= Number(token);
    else if (!table.ignored.test(token)) {
      throw new TraceError(where, `flag "${token}" in ${text}`, table.allowed);
    }
  }
  return bits;
}

function flagTable(bits: Readonly<Record<string, number>>, ignored: RegExp, allowed?: string): FlagTable {
  const names = Object.keys(bits).join(', ');
  return {
    bits: new Map(Object.entries(bits)),
    ignored,
    allowed: allowed ?? `numbers and ${names}, joined by |`,
  };
}

function remember<T>(known: Known<T>, text: string, parsed: T): T {
  if (known.size < MAX_KNOWN) known.set(text, parsed);
  return parsed;
}

function has(bits: number, flag: number): boolean {
  return (bits & flag) !== 0;
}

function isNamedAdvice(name: string): name is NamedAdvice {
  return name in ADVICE_NUMBERS;
}
