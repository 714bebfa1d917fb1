/** What one step of a replayed run did: the named steps, the locks, who was started, woken or held up. */

import { stepText } from '../../observe/stepText.js';
import type { StepObserver, WaitObserver } from '../../sim/scheduler.js';
import { type StepId, stepDefinition } from '../../sim/steps.js';
import type { HeldLock, Task } from '../../sim/task.js';
import { describeWait, taskLabel } from '../../sim/waitGraph.js';

/** Says that a message was delivered, as the step before it does already. */
const PUMP = 'sim.pump';

/** Collects between two calls of {@link take}. It sees tasks only, never what they work on. */
export class StepLine implements StepObserver, WaitObserver {
  private readonly events: string[] = [];
  private readonly woken: string[] = [];
  private known = new Set<Task>();
  private readonly held = new Map<Task, readonly HeldLock[]>();

  constructor(
    /** By actor. */
    private readonly actorNames: readonly string[],
  ) {}

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    const { name, fields } = stepDefinition(step);
    if (task !== null && name !== PUMP)
      this.events.push(stepText(name, fields, [a, b, c, d], this.actorNames));
  }

  onBlock(): void {}

  onSpawn(): void {}

  onWake(task: Task): void {
    this.woken.push(taskLabel(task));
  }

  /** What was there before the first step. */
  begin(tasks: Iterable<Task>): void {
    this.known = new Set(tasks);
  }

  /** Of the step that `task` has just taken, in one line. */
  take(task: Task, tasks: Iterable<Task>): string {
    const { events, waits } = this.takeParts(task, tasks);
    const parts = waits === null ? events : [...events, `WAITS for ${waits}`];
    return `${taskLabel(task)}: ${parts.join('; ')}`;
  }

  /** The same in parts: what it did, and what it waits for now; null where it can go on. */
  takeParts(task: Task, tasks: Iterable<Task>): { readonly events: string[]; readonly waits: string | null } {
    const parts = [...this.events];
    const started = [...tasks].filter((one) => !this.known.has(one)).map(taskLabel);
    if (started.length > 0) parts.push(`starts ${started.join(', ')}`);
    parts.push(...this.lockChanges(task, tasks));
    if (this.woken.length > 0) parts.push(`wakes ${this.woken.join(', ')}`);
    const waits = describeWait(task);
    if (waits === null && task.state === 'done') parts.push('ends');
    else if (waits === null && parts.length === 0) parts.push('goes on');
    this.events.length = 0;
    this.woken.length = 0;
    this.known = new Set(tasks);
    return { events: parts, waits };
  }

  /** A lock that is released may go to a task that waits for it, in the same step. */
  private lockChanges(ran: Task, tasks: Iterable<Task>): string[] {
    const changes = [ran, ...tasks].flatMap((task, i) =>
      i > 0 && task === ran ? [] : this.changesOf(task, task === ran),
    );
    if (ran.state === 'done') this.held.delete(ran);
    return changes;
  }

  private changesOf(task: Task, isRunning: boolean): string[] {
    const before = this.held.get(task) ?? [];
    const now = task.held;
    const changes: string[] = [];
    for (const { lock, mode } of before) {
      const still = now.find((one) => one.lock === lock);
      if (still === undefined) changes.push(`releases ${lock.name}`);
      else if (still.mode !== mode) changes.push(`keeps ${lock.name} for ${still.mode}`);
    }
    for (const { lock, mode } of now) {
      if (before.some((one) => one.lock === lock)) continue;
      changes.push(
        isRunning ? `takes ${lock.name} for ${mode}` : `${lock.name} goes to ${taskLabel(task)} for ${mode}`,
      );
    }
    if (changes.length > 0) this.held.set(task, [...now]);
    return changes;
  }
}
