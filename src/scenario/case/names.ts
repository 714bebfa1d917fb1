/** That every buffer, file and process which a step names is one that some step of the case makes, and every counter one that there is. */

import { didYouMean } from '../../base/didYouMean.js';
import type { Case } from '../../case/caseSchema.js';
import type { Step } from '../../case/opSchemas.js';
import { device } from '../../case/values.js';
import { caseCounters } from '../../simulation/case/caseCounters.js';
import type { CaseMistake } from './caseMistake.js';
import { eachStep } from './eachStep.js';
import type { JsonPath } from './jsonPlace.js';

const ROUND = '$i';
/** What `alloc_and_register` calls its buffers. */
const ALLOCATED = `alloc${ROUND}`;
const MAIN_PROCESS = 'p0';
/** Before the name of an address at which nothing is mapped. */
const UNMAPPED = 'unmapped:';

type Kind = 'buffer' | 'file' | 'process';

const made: Record<Kind, string> = {
  buffer: 'a buffer that a step maps',
  file: 'a file that a step creates',
  process: `${MAIN_PROCESS}, or a process that a step forks`,
};

/** Those of one case, which stands at `path`. The order of steps is not looked at: what exists when is for the run to find out. */
export function nameMistakes({ steps }: Case, path: JsonPath): CaseMistake[] {
  const names: Record<Kind, Set<string>> = {
    buffer: new Set(),
    file: new Set(),
    process: new Set([MAIN_PROCESS]),
  };
  eachStep(steps, [], (step) => collect(step, names));
  const patterns = {
    buffer: patternOf(names.buffer),
    file: patternOf(names.file),
    process: patternOf(names.process),
  };
  const mistakes: CaseMistake[] = [];
  eachStep(steps, [...path, 'steps'], (step, at) => {
    for (const { kind, key, name } of usesOf(step)) {
      // A name with a round in it may be any; the run knows.
      if (name.includes(ROUND) || patterns[kind].test(name)) continue;
      mistakes.push({ path: [...at, 'args', ...key], allowed: made[kind] });
    }
    mistakes.push(...otherMistakes(step, [...at, 'args']));
  });
  return mistakes;
}

function collect(step: Step, names: Record<Kind, Set<string>>): void {
  switch (step.op) {
    case 'mmap':
      names.buffer.add(step.args.buf);
      break;
    case 'mremap':
      names.buffer.add(step.args.new_buf);
      break;
    case 'alloc_and_register':
      names.buffer.add(ALLOCATED);
      break;
    case 'file_create':
      names.file.add(step.args.file);
      break;
    case 'fork':
      names.process.add(step.args.child);
      break;
  }
}

/** `$i` stands for any number. */
function patternOf(names: ReadonlySet<string>): RegExp {
  const escaped = [...names].map((name) =>
    name
      .split(ROUND)
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('\\d+'),
  );
  return new RegExp(`^(?:${escaped.join('|') || '(?!)'})$`);
}

/** A name that a step uses, with its place among the arguments. */
interface Use {
  readonly kind: Kind;
  readonly key: JsonPath;
  readonly name: string;
}

function usesOf(step: Step): Use[] {
  const uses: Use[] = [];
  for (const [key, value] of Object.entries(step.args)) {
    const kind = kindOf(step, key);
    if (kind !== null && typeof value === 'string') uses.push({ kind, key: [key], name: value });
  }
  return [...uses, ...usesWithin(step)];
}

function kindOf({ op, args }: Step, key: string): Kind | null {
  switch (key) {
    case 'proc':
      return 'process';
    case 'buf':
    case 'src':
    case 'dst':
      return 'buffer';
    case 'file':
      return op === 'mmap' && 'backing' in args && args.backing !== 'file' ? null : 'file';
    default:
      return null;
  }
}

/** Names of buffers within other arguments. */
function usesWithin({ op, args }: Step): Use[] {
  const buffer = (name: string, ...key: JsonPath): Use => ({ kind: 'buffer', key, name });
  switch (op) {
    case 'gpu_prefetch_hint':
      return args.addr.startsWith(UNMAPPED) ? [] : [buffer(args.addr, 'addr')];
    case 'mremap':
      return args.to === 'fresh' ? [] : [buffer(args.to.buf, 'to', 'buf')];
    case 'migrate_hint':
      return [
        ...(args.bufs ?? []).map((name, i) => buffer(name, 'bufs', i)),
        ...(args.ranges ?? []).map(([name], i) => buffer(name, 'ranges', i, 0)),
      ];
    default:
      return [];
  }
}

/** Names that no step makes. */
function otherMistakes({ op, args }: Step, path: JsonPath): CaseMistake[] {
  if (op === 'read_counter' && !caseCounters.includes(args.counter)) {
    const meant = didYouMean(args.counter, caseCounters);
    const mistake = { path: [...path, 'counter'], allowed: 'a counter such as svm_pagefault_count' };
    return [meant === null ? mistake : { ...mistake, hint: `did you mean '${meant}'?` }];
  }
  if (op !== 'mmap') return [];
  const { backing, file } = args;
  if (backing === 'file' && file === undefined) {
    return [{ path: [...path, 'file'], allowed: made.file }];
  }
  if (backing === 'device_file' && file !== undefined && !device.safeParse(file).success) {
    return [{ path: [...path, 'file'], allowed: 'a device from gpu0 to gpu99' }];
  }
  return [];
}
