/** How an event lies in a trace: one word that says what it is, the time, and its arguments, all of them doubles. */

import { assert } from '../../base/assert.js';
import { STEP_FIELDS_MAX } from '../../sim/steps.js';
import { STEP_NUMBERS } from '../stepCatalog.js';

/** Beyond the numbers of steps: what is no step of the protocol. */
export const TraceKind = {
  /** A text that later words mean by its number: number, bytes, and the bytes packed into doubles. */
  Text: 1023,
  /** The task waits: number of the text that says for what, {@link WaitKind}, the task in its way and the text of its name (0: none that is known). */
  Blocked: 1022,
  /** The task may go on. No arguments. */
  Woken: 1021,
  /** The task has begun. No arguments. */
  Spawned: 1020,
  /** A step that the catalog does not list, of a user's own code: number of the text that names it and its fields, and its arguments. */
  Own: 1019,
} as const;

/** What a task waits for: a lock, or anything else. */
export const WaitKind = { Other: 0, Lock: 1 } as const;

assert(STEP_NUMBERS <= 1019, 'step numbers reach those of other events');

const KIND_BITS = 10;
const ARGS_BITS = 3;
const ACTOR_BITS = 8;
const NAME_BITS = 10;
const KINDS = 2 ** KIND_BITS;
const ARGS = 2 ** ARGS_BITS;
const ACTORS = 2 ** ACTOR_BITS;
/** Different names of tasks. */
export const NAMES_MAX = 2 ** NAME_BITS;
/** 53 bits are what a double holds. */
const TASKS = 2 ** (53 - KIND_BITS - ARGS_BITS - ACTOR_BITS - NAME_BITS);

/** Kind and arguments of a text are those of no event: its length follows. */
export const EVENT_WORDS = 2;
/** With all its arguments; texts are longer. */
export const EVENT_WORDS_MAX = EVENT_WORDS + STEP_FIELDS_MAX;

/** The part of a head that is the same for all events of a task. */
export function packTask(actor: number, name: number, task: number): number {
  return KINDS * ARGS * (actor + ACTORS * (name + NAMES_MAX * (task % TASKS)));
}

/** The rest of it: {@link packTask} plus this is {@link packHead}. */
export function packKind(kind: number, args: number): number {
  return kind + KINDS * args;
}

export function packHead(kind: number, args: number, actor: number, name: number, task: number): number {
  return packKind(kind, args) + packTask(actor, name, task);
}

/** What {@link packHead} packed, in place of a new object for each event. */
export class EventHead {
  kind = 0;
  args = 0;
  actor = 0;
  /** Number of the text with the task's name; 0 outside any task. */
  name = 0;
  /** Modulo 2^22. */
  task = 0;

  unpack(word: number): void {
    let rest = word;
    this.kind = rest % KINDS;
    rest = Math.floor(rest / KINDS);
    this.args = rest % ARGS;
    rest = Math.floor(rest / ARGS);
    this.actor = rest % ACTORS;
    rest = Math.floor(rest / ACTORS);
    this.name = rest % NAMES_MAX;
    this.task = Math.floor(rest / NAMES_MAX);
  }
}

/** Words that a text of so many bytes takes after its head. */
export function textWords(bytes: number): number {
  return 2 + Math.ceil(bytes / 8);
}
