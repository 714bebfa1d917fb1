/** Writes what the tasks of one thread do into its trace ring: named steps, waits, and the names that they need. */

import { RwLock } from '../../sim/rwLock.js';
import type { StepObserver, WaitObserver } from '../../sim/scheduler.js';
import type { StepId } from '../../sim/steps.js';
import type { Task, Waitable } from '../../sim/task.js';
import type { Clock } from '../actorObserver.js';
import { argumentCount, hasArguments, stepNumber } from '../stepCatalog.js';
import type { TraceRing } from './traceRing.js';
import { EVENT_WORDS, NAMES_MAX, packHead, TraceKind, textWords, WaitKind } from './traceWords.js';

/** Texts that do not fit among the names share this one. */
const OTHER_NAMES = 'others';
const encoder = new TextEncoder();

/** The only writer of its ring. A step allocates nothing; a wait may describe itself by a text that is new. */
export class TraceRecorder implements StepObserver, WaitObserver {
  private readonly numbers = new Map<string, number>();
  /** Steps come many in a row from one task, and looking up its name costs more than anything else that is done for one. */
  private lastTask: Task | null = null;
  private lastName = 0;

  constructor(
    private readonly ring: TraceRing,
    private readonly clock: Clock,
    /** To make the times of several threads comparable. */
    private readonly clockOffsetNs: number,
    /** Whose step one outside any task is. */
    private readonly actor: number,
    /** Called when the ring is full, by threads that are their own reader. */
    private readonly makeRoom: () => void = () => {},
  ) {}

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    const number = stepNumber(step);
    if (!hasArguments(number)) return;
    const args = argumentCount(number);
    if (!this.begin(task, number, args)) return;
    if (args > 0) this.ring.push(a);
    if (args > 1) this.ring.push(b);
    if (args > 2) this.ring.push(c);
    if (args > 3) this.ring.push(d);
    this.ring.publish();
  }

  onBlock(task: Task, reason: Waitable): void {
    const text = this.numberOf(reason.describeWait(task));
    const holder = reason.holders()[0];
    const holderName = holder === undefined ? 0 : this.numberOf(holder.name);
    if (!this.begin(task, TraceKind.Blocked, 4)) return;
    this.ring.push(text);
    this.ring.push(reason instanceof RwLock ? WaitKind.Lock : WaitKind.Other);
    this.ring.push(holder?.id ?? 0);
    this.ring.push(holderName);
    this.ring.publish();
  }

  onSpawn(task: Task): void {
    if (this.begin(task, TraceKind.Spawned, 0)) this.ring.publish();
  }

  onWake(task: Task): void {
    if (this.begin(task, TraceKind.Woken, 0)) this.ring.publish();
  }

  /** False where there is no room for the whole event, which then counts as dropped. */
  private begin(task: Task | null, kind: number, args: number): boolean {
    const name = task === null ? 0 : this.nameOf(task);
    if (!this.hasRoom(EVENT_WORDS + args)) {
      this.ring.drop();
      return false;
    }
    const actor = task === null ? this.actor : task.actor;
    this.ring.push(packHead(kind, args, actor, name, task === null ? 0 : task.id));
    this.ring.push(this.clock.now() + this.clockOffsetNs);
    return true;
  }

  private nameOf(task: Task): number {
    if (task === this.lastTask && this.lastName > 0) return this.lastName;
    this.lastTask = task;
    this.lastName = this.numberOf(task.name);
    return this.lastName;
  }

  private hasRoom(words: number): boolean {
    if (this.ring.reserve(words)) return true;
    this.makeRoom();
    return this.ring.reserve(words);
  }

  /** From 1. A text that could not be written has no number yet. */
  private numberOf(text: string): number {
    const known = this.numbers.get(text);
    if (known !== undefined) return known;
    if (this.numbers.size >= NAMES_MAX - 2 && text !== OTHER_NAMES) return this.numberOf(OTHER_NAMES);
    const number = this.numbers.size + 1;
    if (!this.writeText(number, text)) return 0;
    this.numbers.set(text, number);
    return number;
  }

  private writeText(number: number, text: string): boolean {
    const bytes = encoder.encode(text);
    if (!this.hasRoom(EVENT_WORDS + textWords(bytes.length))) return false;
    this.ring.push(packHead(TraceKind.Text, 0, this.actor, 0, 0));
    this.ring.push(this.clock.now() + this.clockOffsetNs);
    this.ring.push(number);
    this.ring.push(bytes.length);
    // No byte of a text is such that a double of them is not a number, which copying could change.
    const packed = new Float64Array(Math.ceil(bytes.length / 8));
    new Uint8Array(packed.buffer).set(bytes);
    for (const word of packed) this.ring.push(word);
    this.ring.publish();
    return true;
  }
}
