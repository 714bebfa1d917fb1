/** A failing run as a picture of lanes needs it: each step with its actor, messages from step to step, locks from when to when, pages as they change. */

import { PageStates } from '../../check/pageStates.js';
import { messageName } from '../../sim/message.js';
import { PortStep } from '../../sim/port.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import { describeHeld, describeWait, taskLabel } from '../../sim/waitGraph.js';
import type { Execution } from '../execution.js';
import type { Failure } from '../failureFile.js';
import { ReplayStrategy } from '../strategies/replay.js';
import { runnerOf } from '../target.js';
import type { Verdict } from '../verdict.js';
import type { LaneHold, LaneMessage, LaneStep, PageChange } from './laneParts.js';
import { StepLine } from './stepLine.js';
import { WatchedStrategy } from './watchedStrategy.js';

export interface LaneRecording {
  readonly actors: readonly string[];
  readonly steps: readonly LaneStep[];
  readonly messages: readonly LaneMessage[];
  readonly holds: readonly LaneHold[];
  readonly pages: readonly PageChange[];
  /** What everybody has and wants at the end. */
  readonly standing: readonly string[];
  readonly verdict: Verdict | null;
  /** Every choice could be made. */
  readonly isExact: boolean;
}

/** Plays the failure again, to its end. @throws UserError for a program that cannot run any more. */
export function recordLanes(failure: Failure): LaneRecording {
  const strategy = new ReplayStrategy(failure.choices);
  const watched = new WatchedStrategy(strategy);
  watched.newExecution();
  const execution = runnerOf(failure.target).begin(watched);
  const recorder = new LaneRecorder(execution, watched);
  execution.beforeStep = () => {
    recorder.noteStep();
    return false;
  };
  execution.run();
  recorder.noteStep();
  return recorder.finish(strategy.isExact);
}

class LaneRecorder {
  private readonly line: StepLine;
  private readonly pageStates: PageStates;
  private readonly steps: LaneStep[] = [];
  private readonly messages: LaneMessage[] = [];
  private readonly holds: LaneHold[] = [];
  private readonly pages: PageChange[] = [];
  private readonly open = new Map<Task, LaneHold[]>();
  /** Sent and not delivered yet, by sender, receiver, direction and call. */
  private readonly underWay = new Map<string, Omit<LaneMessage, 'toStep' | 'toActor'>[]>();
  private noted = 0;

  constructor(
    private readonly execution: Execution,
    private readonly strategy: WatchedStrategy,
  ) {
    const { executor, machine } = execution;
    this.line = new StepLine(machine.names);
    this.pageStates = new PageStates(machine.parts);
    executor.addObserver(this.line);
    executor.addObserver(this);
    executor.waitObserver = this.line;
  }

  onStep(task: Task | null, step: StepId, peer: number, type: number, call: number): void {
    if (task === null) return;
    const own = task.actor;
    if (step === PortStep.send) this.send(messageName(type), own, keyOf(own, peer, 'request', call));
    else if (step === PortStep.reply)
      this.send(`reply to ${messageName(type)}`, own, keyOf(own, peer, 'reply', call));
    else if (step === PortStep.deliver)
      this.deliver(own, keyOf(peer, own, type === 0 ? 'reply' : 'request', call));
  }

  /** After each step, and once more at the end. */
  noteStep(): void {
    const { steps, tasks } = this.execution.executor;
    const task = this.strategy.last;
    if (steps === this.noted || task === null) {
      if (steps === 0) this.line.begin(tasks);
      return;
    }
    this.noted = steps;
    const { events, waits } = this.line.takeParts(task, tasks);
    const isIdle = task.daemon && (events.length === 0 || events.every((event) => event === 'goes on'));
    this.steps.push({
      step: steps,
      actor: task.actor,
      task: taskLabel(task),
      events,
      waits: waits ?? '',
      isIdle,
    });
    this.noteHolds(task, tasks);
    for (const { page, parts } of this.pageStates.changed()) this.pages.push({ step: steps, page, parts });
  }

  finish(isExact: boolean): LaneRecording {
    const { machine, verdict } = this.execution;
    const { steps, messages, holds, pages } = this;
    return {
      actors: machine.names,
      steps,
      messages,
      holds,
      pages,
      standing: this.standing(),
      verdict,
      isExact,
    };
  }

  private send(name: string, fromActor: number, key: string): void {
    const message = { name, fromActor, fromStep: this.stepNow };
    const before = this.underWay.get(key);
    if (before === undefined) this.underWay.set(key, [message]);
    else before.push(message);
  }

  private deliver(toActor: number, key: string): void {
    const message = this.underWay.get(key)?.shift();
    if (message !== undefined) this.messages.push({ ...message, toStep: this.stepNow, toActor });
  }

  /** The executor counts a step before it takes it. */
  private get stepNow(): number {
    return this.execution.executor.steps;
  }

  private noteHolds(ran: Task, tasks: Iterable<Task>): void {
    for (const task of new Set([ran, ...tasks])) {
      const before = this.open.get(task);
      if (before === undefined && task.held.length === 0) continue;
      this.open.set(task, this.holdsOf(task, before ?? []));
    }
  }

  private holdsOf(task: Task, before: readonly LaneHold[]): LaneHold[] {
    const isHeld = ({ lock, mode }: LaneHold): boolean =>
      task.held.some((one) => one.lock.name === lock && one.mode === mode);
    for (const hold of before) if (!isHeld(hold)) hold.toStep = this.noted;
    const kept = before.filter(isHeld);
    const fresh = task.held
      .filter(({ lock, mode }) => !kept.some((one) => one.lock === lock.name && one.mode === mode))
      .map(({ lock, mode }) => this.newHold(task, lock.name, mode));
    this.holds.push(...fresh);
    return [...kept, ...fresh];
  }

  /** To the end of the run, unless it is given back before. */
  private newHold(task: Task, lock: string, mode: string): LaneHold {
    const toStep = Number.MAX_SAFE_INTEGER;
    return { lock, mode, task: taskLabel(task), actor: task.actor, fromStep: this.noted, toStep };
  }

  private standing(): string[] {
    const lines: string[] = [];
    for (const task of this.execution.executor.tasks) {
      const wait = describeWait(task);
      const held = describeHeld(task);
      if (task.daemon && held === '') continue;
      const does = wait === null ? 'can go on' : `waits for ${wait}`;
      lines.push(`${taskLabel(task)} ${does}${held === '' ? '' : `; holds ${held}`}`);
    }
    return lines;
  }
}

function keyOf(from: number, to: number, direction: string, call: number): string {
  return `${from} ${to} ${direction} ${call}`;
}
