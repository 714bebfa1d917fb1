/** Sees that a request is never done: for a lock, a reply, or what it retries, its task waits on and on while others get on. */

import { CpuMessage } from '../../actors/messages.js';
import { stepDefinition } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import { describeWait } from '../../sim/waitGraph.js';
import type { Verdict } from '../verdict.js';

/** Steps of the whole run that one request may take. Generous: the largest migrations take thousands of their own, and others have as many in between. */
const STEPS_OF_ALL = 50_000;
/** The same for each request that may be in line before it: fair locks serve them one after another. */
const STEPS_OF_EACH = 10_000;
/** What others must get done meanwhile: without that it is a hang, or a livelock. */
const UNITS_OF_OTHERS = 1000;
/** Steps between two looks. */
const LOOK_EVERY = 512;

/** Requests that end with a program of a device, which may run for as long as it likes. */
const FOR_PROGRAMS: ReadonlySet<string> = new Set([CpuMessage.ioctl.name, CpuMessage.launch.name]);

/** When a request was seen first. */
interface Begin {
  readonly steps: number;
  /** Got done by all. */
  readonly total: number;
}

/**
 * Implied by fair locks and bounded retries: each wait of a request ends after what was there before it, however much comes later. Servants and relays, which
 * wait for programs to want something, are none.
 */
export class Overtaken {
  private readonly since = new WeakMap<Task, Begin>();
  private steps = 0;
  /** The most that were open at once. */
  private requestsMax = 0;

  constructor(
    private readonly tasks: Iterable<Task>,
    /** By actor. */
    private readonly names: readonly string[],
  ) {}

  /** Once for each step; `total` tells what all have got done so far. Null as long as every request gets its turn. */
  onStep(total: () => number): Verdict | null {
    this.steps++;
    return this.steps % LOOK_EVERY === 0 ? this.look(total()) : null;
  }

  private look(total: number): Verdict | null {
    const requests = [...this.tasks].filter(isRequest);
    this.requestsMax = Math.max(this.requestsMax, requests.length);
    const stepsMax = Math.max(STEPS_OF_ALL, STEPS_OF_EACH * this.requestsMax);
    for (const task of requests) {
      const since = this.since.get(task);
      if (since === undefined) {
        this.since.set(task, { steps: this.steps, total });
        continue;
      }
      const others = total - since.total;
      if (this.steps - since.steps >= stepsMax && others >= UNITS_OF_OTHERS)
        return this.starvation(task, others);
    }
    return null;
  }

  private starvation(task: Task, others: number): Verdict {
    const wait = describeWait(task);
    const { name } = stepDefinition(task.lastStep);
    return {
      kind: 'starvation',
      invariant: null,
      message: `${this.names[task.actor]}: ${task.name} does not end, while others did ${others} accesses and calls`,
      details: [wait === null ? `last at ${name}` : `waits for ${wait} (after ${name})`],
    };
  }
}

function isRequest({ daemon, actor, name }: Task): boolean {
  return !daemon && actor === 0 && !FOR_PROGRAMS.has(name);
}
