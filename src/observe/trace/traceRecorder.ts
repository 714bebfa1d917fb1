/** Writes what the tasks of one thread do into its trace ring: named steps, waits, and the names that they need. */

import { PortStep } from '../../sim/port.js';
import type { StepObserver, WaitObserver } from '../../sim/scheduler.js';
import { type StepId, stepDefinition } from '../../sim/steps.js';
import type { Task, Waitable } from '../../sim/task.js';
import type { Clock } from '../actorObserver.js';
import { OTHER_STEP, type StepNumber, stepNumber } from '../stepCatalog.js';
import { ownStepText } from './ownStep.js';
import { endsATime, tracedWords } from './tracedSteps.js';
import type { TraceRing } from './traceRing.js';
import {
  EVENT_WORDS,
  EVENT_WORDS_MAX,
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

/** Reading it costs more than all the rest of an event. */
export interface RecordingClock extends Clock {
  /** What {@link now} said last, whoever asked. */
  readonly readNs: number;
}

/** The only writer of its ring. A step allocates nothing; a wait may describe itself by a text that is new. */
export class TraceRecorder implements StepObserver, WaitObserver {
  private readonly numbers = new Map<string, number>();
  /** By step: what names it, so that it is put together once. */
  private readonly ownSteps: (string | undefined)[] = [];
  /** Steps come many in a row from one task, and looking up its name costs more than anything else that is done for one. */
  private lastTask: Task | null | undefined = undefined;
  private lastTaskWord = 0;
  /** Of the event before this one; {@link NO_STEP} if it was none. */
  private lastStep = NO_STEP;
  /** On the clock; that of the last event that read it or shared a reading. */
  private lastNs = 0;

  constructor(
    private readonly ring: TraceRing,
    private readonly clock: RecordingClock,
    /** To make the times of several threads comparable. */
    private readonly clockOffsetNs: number,
    /** Whose step one outside any task is. */
    private readonly actor: number,
    /** Called when the ring is full, by threads that are their own reader. */
    private readonly makeRoom: () => void = () => {},
  ) {}

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    const number = stepNumber(step);
    if (tracedWords[number] !== 0) this.record(task, number, a, b, c, d);
    else if (number === OTHER_STEP) this.recordOwn(task, step, a, b, c, d);
  }

  /** A step that is traced; the time of its event, on the clock. */
  record(task: Task | null, step: StepNumber, a: number, b: number, c: number, d: number): number {
    const words = tracedWords[step];
    const timeNs = endsATime[step] === 0 ? this.now() : this.sharedNow();
    this.write(task, packKind(step, words - EVENT_WORDS), words, timeNs, a, b, c, d);
    // A message that asks for no reply is followed by no wait for one.
    this.lastStep = step === sendNumber && c === 0 ? NO_STEP : step;
    return timeNs;
  }

  /** A step of a user's own. */
  recordOwn(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    let text = this.ownSteps[step];
    if (text === undefined) {
      text = ownStepText(step);
      this.ownSteps[step] = text;
    }
    const name = this.numberOf(text);
    const args = [name, a, b, c, d].slice(0, 1 + stepDefinition(step).fields.length);
    const ofTask = task === this.lastTask ? this.lastTaskWord : this.wordOf(task);
    this.lastStep = NO_STEP;
    if (!this.hasRoom(EVENT_WORDS + args.length)) {
      this.ring.drop();
      return;
    }
    this.ring.push(packKind(TraceKind.Own, args.length) + ofTask);
    this.ring.push(this.now() + this.clockOffsetNs);
    for (const word of args) this.ring.push(word);
    this.ring.publish();
  }

  onBlock(task: Task, reason: Waitable): void {
    const text = this.numberOf(reason.describeWait(task));
    const holder = reason.holders()[0];
    const holderName = holder === undefined ? 0 : this.numberOf(holder.name);
    // A request, and at once the wait for its reply.
    const timeNs = this.lastStep === sendNumber ? this.lastNs : this.now();
    this.lastStep = NO_STEP;
    const kind = reason.isLock === true ? WaitKind.Lock : WaitKind.Other;
    this.write(task, BLOCKED_KIND, EVENT_WORDS + 4, timeNs, text, kind, holder?.id ?? 0, holderName);
  }

  onSpawn(task: Task): void {
    this.afterDelivery(task, SPAWNED_KIND);
  }

  onWake(task: Task): void {
    this.afterDelivery(task, WOKEN_KIND);
  }

  /** A delivery begins a task or wakes one at once, and nothing lies between. */
  private afterDelivery(task: Task, kind: number): void {
    const timeNs = this.lastStep === deliverNumber ? this.lastNs : this.now();
    this.lastStep = NO_STEP;
    this.write(task, kind, EVENT_WORDS, timeNs, 0, 0, 0, 0);
  }

  private now(): number {
    this.lastNs = this.clock.now();
    return this.lastNs;
  }

  /** What was read for an argument of this step, where that can be told from the reading for the event before. */
  private sharedNow(): number {
    const { readNs } = this.clock;
    if (readNs <= this.lastNs) return this.now();
    this.lastNs = readNs;
    return readNs;
  }

  /** Where there is no room for the whole event it counts as dropped. */
  private write(
    task: Task | null,
    kind: number,
    words: number,
    timeNs: number,
    a: number,
    b: number,
    c: number,
    d: number,
  ): void {
    const ofTask = task === this.lastTask ? this.lastTaskWord : this.wordOf(task);
    if (this.hasRoom(EVENT_WORDS_MAX)) {
      this.ring.write(words, kind + ofTask, timeNs + this.clockOffsetNs, a, b, c, d);
    } else {
      this.ring.drop();
    }
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
    this.ring.publishText();
    return true;
  }
}
