/** Who waits for what, and who stands in the way, in words: for deadlocks, hangs and traces. */

import { stepDefinition } from './steps.js';
import type { Task, Waitable } from './task.js';

/** Longer names are sentences, which say nothing that the number does not. */
const NAME_MAX = 32;

/** Tasks of one kind have one name: the number tells them apart. */
export function taskLabel({ name, id }: Task): string {
  return `${name.length > NAME_MAX ? 'program' : name}#${id}`;
}

/** Null for a task that waits for nothing. */
export function describeWait(task: Task): string | null {
  const { waitingFor } = task;
  return waitingFor === null ? null : `${waitingFor.describeWait(task)}${describeHolders(waitingFor)}`;
}

/** In which way each holder has what another one wants, where that can be told. */
function describeHolders(wanted: Waitable): string {
  const holders = wanted.holders().map((holder) => {
    const mode = holder.held.find(({ lock }) => lock === wanted)?.mode;
    const place = ownCodeBehind(holder);
    return `${taskLabel(holder)}${mode === undefined ? '' : ` for ${mode}`}${place === null ? '' : `, for ${place}`}`;
  });
  return holders.length === 0 ? '' : `, held by ${holders.join(', ')}`;
}

/** Code of the user's own that a task is in, or waits for by way of others, as far as they are known. */
function ownCodeBehind(task: Task, seen = new Set<Task>()): string | null {
  if (task.ownCode !== null || seen.has(task)) return task.ownCode;
  seen.add(task);
  for (const holder of task.waitingFor?.holders() ?? []) {
    const place = ownCodeBehind(holder, seen);
    if (place !== null) return place;
  }
  return null;
}

/** The locks that a task has, in the order in which it took them; empty where there are none. */
export function describeHeld({ held }: Task): string {
  return held.map(({ lock, mode }) => `${lock.name} for ${mode}`).join(', ');
}

/** One line for each task that serves somebody and waits, with the step after which it does. */
export function describeWaits(tasks: Iterable<Task>): string[] {
  const lines: string[] = [];
  for (const task of tasks) {
    const wait = task.daemon ? null : describeWait(task);
    if (wait === null) continue;
    lines.push(`${taskLabel(task)} waits for ${wait} (after ${stepDefinition(task.lastStep).name})`);
  }
  return lines;
}

/** Tasks each of which waits for the next, and the last one for the first; null where those who stand in the way are not known, or go on. */
export function findCircle(tasks: Iterable<Task>): readonly Task[] | null {
  const done = new Set<Task>();
  for (const first of tasks) {
    const circle = circleFrom(first, [], done);
    if (circle !== null) return circle;
  }
  return null;
}

function circleFrom(task: Task, path: readonly Task[], done: Set<Task>): readonly Task[] | null {
  const at = path.indexOf(task);
  if (at >= 0) return path.slice(at);
  if (done.has(task)) return null;
  done.add(task);
  for (const holder of task.waitingFor?.holders() ?? []) {
    const circle = circleFrom(holder, [...path, task], done);
    if (circle !== null) return circle;
  }
  return null;
}

export function describeCircle(circle: readonly Task[]): string {
  return `in a circle: ${[...circle, circle[0]].map(taskLabel).join(' waits for ')}`;
}
