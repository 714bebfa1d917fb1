/** Steps of cases as the lines that recorder.c reads. */

import type { PlainStep, Step } from '../../src/case/opSchemas.js';
import type { Pattern } from '../../src/case/values.js';

const FIRST_BUFFER = 'A'.charCodeAt(0);
const FIRST_FILE = 'F'.charCodeAt(0);

/** `process operation arguments`. @throws Error for a step that the recorder cannot carry out. */
export function stepLine(step: Step): string {
  const process = 'proc' in step.args && step.args.proc !== undefined ? step.args.proc : 'p0';
  const words = argumentsOf(step as PlainStep);
  if (words === null) throw new Error(`the recorder knows no ${step.op}`);
  return [process, step.op, ...words].join(' ');
}

function argumentsOf(step: PlainStep): (string | number)[] | null {
  switch (step.op) {
    case 'fork':
    case 'exit':
      return [];
    case 'bind_mirror':
      return [deviceIndex(step.args.dev), step.args.kind === 'coherent' ? 1 : 0];
    case 'unbind_mirror':
    case 'evict_device':
      return [deviceIndex(step.args.dev)];
    case 'file_create':
      return [fileIndex(step.args.file), step.args.pages, constantOf(step.args.pattern)];
    case 'file_read':
      return [fileIndex(step.args.file)];
    case 'mmap': {
      const { buf, pages, prot, share, backing, file, at_off, locked } = step.args;
      const fileWord = file === undefined ? 0 : fileIndex(file);
      return [bufferIndex(buf), pages, prot, share, backing, fileWord, at_off ?? -1, locked ? 1 : 0];
    }
    case 'mremap':
      return [...spanOf(step.args), bufferIndex(step.args.new_buf), step.args.dontunmap ? 1 : 0];
    case 'munmap':
    case 'mlock':
    case 'munlock':
    case 'cpu_read':
    case 'pagemap_read':
      return spanOf(step.args);
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

interface Span {
  readonly buf: string;
  readonly off: number;
  readonly pages?: number | undefined;
}

function spanOf({ buf, off, pages }: Span): number[] {
  if (pages === undefined) throw new Error(`a step on ${buf} says no pages`);
  return [bufferIndex(buf), off, pages];
}

function bufferIndex(name: string): number {
  return name.charCodeAt(0) - FIRST_BUFFER;
}

function fileIndex(name: string): number {
  return name.charCodeAt(0) - FIRST_FILE;
}

function deviceIndex(name: string): number {
  return Number(name.slice('gpu'.length));
}

function constantOf(pattern: Pattern): number {
  if (pattern.p !== 'const') throw new Error(`the recorder writes no pattern ${pattern.p}`);
  return pattern.v;
}
