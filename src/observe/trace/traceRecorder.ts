/** Writes what the tasks of one thread do into its trace ring: named steps, waits, and the names that they need. */

import { PortStep } from '../../sim/port.js';
import { RwLock } from '../../sim/rwLock.js';
import type { StepObserver, WaitObserver } from '../../sim/scheduler.js';
import type { StepId } from '../../sim/steps.js';
import type { Task, Waitable } from '../../sim/task.js';
import type { Clock } from '../actorObserver.js';
import { stepNumber } from '../stepCatalog.js';
import { tracedWords } from './tracedSteps.js';
import type { TraceRing } from './traceRing.js';
import {
  EVENT_WORDS,
  NAMES_MAX,
  packHead,
  packKind,
  packTask,
  TraceKind,
  textWords,
  WaitKind,
} from './traceWords.js';

/** Texts that do not fit among the names share this one. */
const OTHER_NAMES = 'others';
const encoder = new TextEncoder();
const NO_STEP = -1;
const BLOCKED_KIND = packKind(TraceKind.Blocked, 4);
const SPAWNED_KIND = packKind(TraceKind.Spawned, 0);
const WOKEN_KIND = packKind(TraceKind.Woken, 0);
const sendNumber: number = stepNumber(PortStep.send);
const deliverNumber: number = stepNumber(PortStep.deliver);

/** The only writer of its ring. A step allocates nothing; a wait may describe itself by a text that is new. */
export class TraceRecorder implements StepObserver, WaitObserver {
  private readonly numbers = new Map<string, number>();
  /** Steps come many in a row from one task, and looking up its name costs more than anything else that is done for one. */
  private lastTask: Task | null | undefined = undefined;
  private lastTaskWord = 0;
  /** Of the event before this one; {@link NO_STEP} if it was none. */
  private lastStep = NO_STEP;
  private lastNs = 0;

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
    const words = tracedWords[number];
    if (words === 0) return;
    const args = words - EVENT_WORDS;
    if (!this.begin(task, packKind(number, args), words, this.now())) return;
    const { ring } = this;
    if (args > 0) ring.push(a);
    if (args > 1) ring.push(b);
    if (args > 2) ring.push(c);
    if (args > 3) ring.push(d);
    ring.publish();
    // A message that asks for no reply is followed by no wait for one.
    this.lastStep = number === sendNumber && c === 0 ? NO_STEP : number;
  }

  onBlock(task: Task, reason: Waitable): void {
    const text = this.numberOf(reason.describeWait(task));
    const holder = reason.holders()[0];
    const holderName = holder === undefined ? 0 : this.numberOf(holder.name);
    // A request, and at once the wait for its reply.
    const time = this.lastStep === sendNumber ? this.lastNs : this.now();
    this.lastStep = NO_STEP;
    if (!this.begin(task, BLOCKED_KIND, EVENT_WORDS + 4, time)) return;
    this.ring.push(text);
    this.ring.push(reason instanceof RwLock ? WaitKind.Lock : WaitKind.Other);
    this.ring.push(holder?.id ?? 0);
    this.ring.push(holderName);
    this.ring.publish();
  }

  onSpawn(task: Task): void {
    this.afterDelivery(task, SPAWNED_KIND);
  }

  onWake(task: Task): void {
    this.afterDelivery(task, WOKEN_KIND);
  }

  /** A delivery begins a task or wakes one at once, and nothing lies between. */
  private afterDelivery(task: Task, kind: number): void {
    const time = this.lastStep === deliverNumber ? this.lastNs : this.now();
    this.lastStep = NO_STEP;
    if (this.begin(task, kind, EVENT_WORDS, time)) this.ring.publish();
  }

  /** Reading the clock costs more than all the rest of an event. */
  private now(): number {
    this.lastNs = this.clock.now() + this.clockOffsetNs;
    return this.lastNs;
  }

  /** False where there is no room for the whole event, which then counts as dropped. */
  private begin(task: Task | null, kind: number, words: number, timeNs: number): boolean {
    const ofTask = task === this.lastTask ? this.lastTaskWord : this.wordOf(task);
    if (!this.hasRoom(words)) {
      this.ring.drop();
      return false;
    }
    this.ring.push(kind + ofTask);
    this.ring.push(timeNs);
    return true;
  }

  /** What the heads of a task's events have in common. A name that found no room is tried again. */
  private wordOf(task: Task | null): number {
    if (task === null) return packTask(this.actor, 0, 0);
    const name = this.numberOf(task.name);
    this.lastTask = name === 0 ? undefined : task;
    this.lastTaskWord = packTask(task.actor, name, task.id);
    return this.lastTaskWord;
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
