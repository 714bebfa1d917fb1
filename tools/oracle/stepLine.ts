/** Steps of cases as the lines that recorder.c reads. */

import type { PlainStep, Step } from '../../src/case/opSchemas.js';
import type { Pattern } from '../../src/case/values.js';

/** Limits of recorder.c. */
const BUFFERS = 16;
const FILES = 4;
const PAGES_MAX = 2048;
const HUGETLB_PAGES = 512;

const FIRST_BUFFER = 'A'.charCodeAt(0);
const FIRST_FILE = 'F'.charCodeAt(0);
const PROCESSES = ['p0', 'c0'];
const DEVICES = ['gpu0', 'gpu1'];
const BACKINGS = ['anon', 'file', 'hugetlb'];

/** `process operation arguments`. @throws Error for a step that the recorder cannot carry out. */
export function stepLine(step: Step): string {
  const named = 'proc' in step.args && step.args.proc !== undefined ? step.args.proc : 'p0';
  const words = argumentsOf(step as PlainStep);
  if (words === null) throw new Error(`the recorder knows no ${step.op}`);
  return [allowed('process', named, PROCESSES), step.op, ...words].join(' ');
}

function argumentsOf(step: PlainStep): (string | number)[] | null {
  switch (step.op) {
    case 'fork':
      allowed('child', step.args.child, ['c0']);
      return [];
    case 'exit':
      return [];
    case 'bind_mirror':
      return [deviceIndex(step.args.dev), step.args.kind === 'coherent' ? 1 : 0];
    case 'unbind_mirror':
    case 'evict_device':
      return [deviceIndex(step.args.dev)];
    case 'file_create':
      return [fileIndex(step.args.file), pagesOf(step.args.pages), constantOf(step.args.pattern)];
    case 'file_read':
      return [fileIndex(step.args.file)];
    case 'mmap':
      return mappingOf(step.args);
    case 'mremap':
      if (step.args.to !== 'fresh') throw new Error('the recorder moves pages to fresh places only');
      return [...spanOf(step.args), bufferIndex(step.args.new_buf), step.args.dontunmap ? 1 : 0];
    case 'munmap':
    case 'mlock':
    case 'munlock':
    case 'cpu_read':
    case 'pagemap_read':
      return spanOf(step.args);
    case 'reclaim':
      if (step.args.buf === undefined) throw new Error('the recorder reclaims spans only');
      return spanOf({ ...step.args, buf: step.args.buf });
    case 'uffd_register':
      return [...spanOf(step.args), byteOf(constantOf(step.args.fill))];
    case 'pin_unpin':
      return [...spanOf(step.args), step.args.mode];
    case 'mprotect':
      return [...spanOf(step.args), step.args.prot];
    case 'madvise':
      return [...spanOf(step.args), step.args.advice];
    case 'cpu_write':
      return [...spanOf(step.args), constantOf(step.args.pattern)];
    case 'gpu_write':
      return [deviceIndex(step.args.dev), ...spanOf(step.args), constantOf(step.args.pattern)];
    case 'gpu_read':
    case 'migrate_to_device':
    case 'migrate_to_sys':
    case 'snapshot':
    case 'exclusive':
    case 'check_exclusive':
      return [deviceIndex(step.args.dev), ...spanOf(step.args)];
    default:
      return null;
  }
}

type Mapping = Extract<PlainStep, { op: 'mmap' }>['args'];

/** Where a mapping of its own begins is a multiple of 1 GiB. */
function mappingOf({
  buf,
  pages,
  prot,
  share,
  backing,
  file,
  at_off,
  locked,
  align_pages,
}: Mapping): (string | number)[] {
  if (align_pages !== undefined && align_pages !== HUGETLB_PAGES)
    throw new Error(`found align_pages ${align_pages}, allowed: none, or ${HUGETLB_PAGES}`);
  const fileWord = file === undefined ? 0 : fileIndex(file);
  const kind = allowed('backing', backing, BACKINGS);
  return [bufferIndex(buf), pagesOf(pages), prot, share, kind, fileWord, at_off ?? -1, locked ? 1 : 0];
}

interface Span {
  readonly buf: string;
  readonly off: number;
  readonly pages?: number | undefined;
}

function spanOf({ buf, off, pages }: Span): number[] {
  if (pages === undefined) throw new Error(`a step on ${buf} says no pages`);
  return [bufferIndex(buf), off, pagesOf(pages)];
}

function pagesOf(pages: number): number {
  if (pages > PAGES_MAX) throw new Error(`found ${pages} pages, allowed: up to ${PAGES_MAX}`);
  return pages;
}

function bufferIndex(name: string): number {
  return letterIndex('buffer', name, FIRST_BUFFER, BUFFERS);
}

function fileIndex(name: string): number {
  return letterIndex('file', name, FIRST_FILE, FILES);
}

function letterIndex(what: string, name: string, first: number, count: number): number {
  const letters = Array.from({ length: count }, (_, i) => String.fromCharCode(first + i));
  return letters.indexOf(allowed(what, name, letters));
}

function deviceIndex(name: string): number {
  return DEVICES.indexOf(allowed('device', name, DEVICES));
}

function allowed(what: string, found: string, names: readonly string[]): string {
  if (!names.includes(found)) throw new Error(`found the ${what} ${found}, allowed: ${names.join(', ')}`);
  return found;
}

/** The recorder fills pages with one byte. */
function byteOf(dword: number): number {
  const byte = dword & 0xff;
  if (dword !== byte * 0x01010101) throw new Error(`found the fill ${dword}, allowed: four bytes alike`);
  return byte;
}

function constantOf(pattern: Pattern): number {
  if (pattern.p !== 'const') throw new Error(`the recorder writes no pattern ${pattern.p}`);
  return pattern.v;
}
