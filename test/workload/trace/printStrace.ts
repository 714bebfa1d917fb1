/** Prints memory calls as strace does, the inverse of the parser, written independently of its tables. */

import type { Advice, MapFlags, MmCall, PageProt } from '../../../src/workload/trace/mmCall.js';

/** How flags are printed: `-X abbrev`, `-X raw`, `-X verbose`, and the mixture that bits without a name give. */
export type FlagStyle = 'symbols' | 'numbers' | 'explained' | 'mixed';

/** A call in the two parts between which strace may break off; `tail` starts with what follows the arguments that the start shows. */
export interface PrintedCall {
  readonly name: string;
  readonly args: string;
  readonly tail: string;
}

type Bit = readonly [symbol: string, value: number];

const MADV: Readonly<Record<Exclude<Advice, 'unknown'>, number>> = {
  normal: 0,
  random: 1,
  sequential: 2,
  willneed: 3,
  dontneed: 4,
  free: 8,
  remove: 9,
  dontfork: 10,
  dofork: 11,
  mergeable: 12,
  unmergeable: 13,
  hugepage: 14,
  nohugepage: 15,
  dontdump: 16,
  dodump: 17,
  wipeonfork: 18,
  keeponfork: 19,
  cold: 20,
  pageout: 21,
  populate_read: 22,
  populate_write: 23,
  dontneed_locked: 24,
  collapse: 25,
  hwpoison: 100,
  soft_offline: 101,
  guard_install: 102,
  guard_remove: 103,
};

const THREAD = 'CLONE_VM|CLONE_FS|CLONE_THREAD';

/** `slackBytes`: how much shorter than whole pages a length is printed. */
export function printCall(
  call: MmCall,
  errno: string | null,
  style: FlagStyle,
  slackBytes: number,
): PrintedCall {
  const bytes = (npages: number) => `${Math.max(npages * 4096 - slackBytes, npages === 0 ? 0 : 1)}`;
  const failed = errno === null ? null : `-1 ${errno} (Some reason)`;
  const zero = failed ?? '0';
  switch (call.kind) {
    case 'mmap': {
      const fd = call.fd < 0 ? '-1' : `${call.fd}</tmp/a, (b) = c>`;
      const head = `${call.hint === null ? 'NULL' : hex(call.hint)}, ${bytes(call.npages)}`;
      const flags = `${bits(protBits(call.prot, false), style)}, ${bits(mapBits(call.flags), style)}`;
      const offset = call.offsetPages === 0 ? '0' : hex(call.offsetPages);
      return printed('mmap', `${head}, ${flags}, ${fd}, ${offset}`, failed ?? hex(call.result ?? 0));
    }
    case 'munmap':
      return printed('munmap', `${hex(call.start)}, ${bytes(call.npages)}`, zero);
    case 'mprotect': {
      const prot = bits(protBits(call.prot, call.growsDown), style);
      return printed('mprotect', `${hex(call.start)}, ${bytes(call.npages)}, ${prot}`, zero);
    }
    case 'madvise':
      return printed(
        'madvise',
        `${hex(call.start)}, ${bytes(call.npages)}, ${advice(call.advice, style)}`,
        zero,
      );
    case 'mremap': {
      const { mayMove, fixed, dontUnmap } = call.flags;
      const flags = bits(
        [
          ...pick(mayMove, 'MREMAP_MAYMOVE', 1),
          ...pick(fixed, 'MREMAP_FIXED', 2),
          ...pick(dontUnmap, 'MREMAP_DONTUNMAP', 4),
        ],
        style,
      );
      const target = call.target === null ? '' : `, ${hex(call.target)}`;
      const args = `${hex(call.from)}, ${bytes(call.fromPages)}, ${bytes(call.toPages)}, ${flags}${target}`;
      return printed('mremap', args, failed ?? hex(call.result ?? 0));
    }
    case 'brk': {
      const request = call.requestBytes === null ? 'NULL' : `0x${call.requestBytes.toString(16)}`;
      return printed('brk', request, `0x${call.breakBytes.toString(16)}`);
    }
    case 'touch':
      return printed('touch', `${hex(call.page)}, ${call.write ? 'PROT_WRITE' : 'PROT_READ'}`, zero);
    case 'fork':
      return {
        name: 'clone',
        args: 'child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD',
        tail: `, child_tidptr=0x7f10) = ${failed ?? call.child}`,
      };
    case 'vfork':
      return printed('vfork', '', failed ?? `${call.child}`);
    case 'thread':
      return {
        name: 'clone3',
        args: `{flags=${THREAD}, child_tid=0x7f90, stack=0x7f00, stack_size=0x7fff80}`,
        tail: failed === null ? ` => {parent_tid=[${call.child}]}, 88) = ${call.child}` : `, 88) = ${failed}`,
      };
    case 'exec':
      return printed(
        'execve',
        `"${call.path}", ["a, (b) = 0", "<unfinished ...>"], 0x7ffd /* 35 vars */`,
        zero,
      );
    case 'exit':
      return printed(call.wholeProcess ? 'exit_group' : 'exit', `${call.status}`, '?');
  }
}

function printed(name: string, args: string, result: string): PrintedCall {
  return { name, args, tail: `) = ${result}` };
}

function hex(page: number): string {
  return `0x${(page * 4096).toString(16)}`;
}

function bits(list: readonly Bit[], style: FlagStyle): string {
  const sum = `0x${list.reduce((all, [, value]) => all + value, 0).toString(16)}`;
  const symbols = list.length === 0 ? '0' : list.map(([symbol]) => symbol).join('|');
  switch (style) {
    case 'symbols':
      return symbols;
    case 'numbers':
      return sum;
    case 'explained':
      return `${sum} /* ${symbols} */`;
    case 'mixed':
      return (
        list.map(([symbol, value], i) => (i % 2 === 0 ? symbol : `0x${value.toString(16)}`)).join('|') || '0'
      );
  }
}

function protBits(prot: PageProt, growsDown: boolean): readonly Bit[] {
  return [
    ...pick(prot.read, 'PROT_READ', 1),
    ...pick(prot.write, 'PROT_WRITE', 2),
    ...pick(prot.exec, 'PROT_EXEC', 4),
    ...pick(growsDown, 'PROT_GROWSDOWN', 0x1000000),
  ];
}

function mapBits(flags: MapFlags): readonly Bit[] {
  return [
    ...pick(flags.shared, 'MAP_SHARED', 1),
    ...pick(!flags.shared, 'MAP_PRIVATE', 2),
    ...pick(flags.fixed, 'MAP_FIXED', 0x10),
    ...pick(flags.anonymous, 'MAP_ANONYMOUS', 0x20),
    ...pick(flags.growsDown, 'MAP_GROWSDOWN', 0x100),
    ...pick(flags.locked, 'MAP_LOCKED', 0x2000),
    ...pick(flags.noreserve, 'MAP_NORESERVE', 0x4000),
    ...pick(flags.populate, 'MAP_POPULATE', 0x8000),
    ...pick(flags.stack, 'MAP_STACK', 0x20000),
    ...pick(flags.hugetlb, 'MAP_HUGETLB', 0x40000),
    ...pick(flags.noReplace, 'MAP_FIXED_NOREPLACE', 0x100000),
  ];
}

function pick(set: boolean, symbol: string, value: number): readonly Bit[] {
  return set ? [[symbol, value]] : [];
}

function advice(name: Advice, style: FlagStyle): string {
  if (name === 'unknown') return '0x4d /* MADV_??? */';
  return bits([[`MADV_${name.toUpperCase()}`, MADV[name]]], style);
}
