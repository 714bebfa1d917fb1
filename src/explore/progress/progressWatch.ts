/** Sees that a run gets nowhere: the whole of it, since it comes back to the same state again and again, or one actor, while others get on. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, vpn } from '../../base/units.js';
import { machineFingerprint } from '../../check/machineFingerprint.js';
import { faultSteps, roundSteps, tooEarlyStep } from '../../check/roundSteps.js';
import type { StepObserver } from '../../sim/scheduler.js';
import { type StepId, stepDefinition } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Verdict } from '../verdict.js';
import { foldedSteps } from './foldedSteps.js';
import { HowFar } from './howFar.js';
import { Overtaken } from './overtaken.js';
import { UnitsDone } from './unitsDone.js';

/** Times that a state must come again. What is not in it, such as messages, may differ; and chance may repeat a round that would end in time. */
const VISITS = 12;
/** The rounds that an access takes which gets on: to look at the whole machine costs more than all that happens in between. */
const ROUNDS_UNSEEN = 4;
/** How the message of a livelock begins that was seen by its states. */
export const SAME_STATE = 'the same state came';
/** Faults of one program on one page, without an access of its actor in between. */
const ATTEMPTS = 24;
/** What others must get done meanwhile. */
const UNITS_OF_OTHERS = 24;
/** The same where nobody gets anything done. More, since chance alone may let several programs spoil a few attempts of one another. */
const ATTEMPTS_OF_ALL = 60;
/** Steps of a cycle that are kept. */
const STEPS_KEPT = 4000;
const CYCLE_SHOWN = 24;
/** Messages between actors say little of what a loop is about. */
const MESSAGE = 'sim.';

/** How often a program has faulted on a page, and since when it has done nothing else. */
interface Attempts {
  readonly page: number;
  count: number;
  /** Units of its actor, and of all, at its first fault. */
  readonly ofActor: number;
  readonly ofAll: number;
  /** Faults since anybody got something done, the units by then, and where in the list of steps the last fault was. */
  inVain: number;
  total: number;
  at: number;
}

/** A state that was seen. */
interface Visit {
  count: number;
  /** Position in the list of steps. */
  at: number;
}

/**
 * To be attached when the schedule has become fair: under an unfair one everything may starve. As long as anybody gets something done nothing is a
 * livelock, and the states that were seen before do not count. Implied by forward progress: every loop of the kernel's that retries is allowed
 * only since what it waits for gets done in the end.
 */
export class ProgressWatch implements StepObserver {
  verdict: Verdict | null = null;
  private readonly units: UnitsDone;
  private readonly howFar = new HowFar();
  private readonly overtaken: Overtaken;
  private readonly unitsOfAll = (): number => this.units.total;
  private readonly seen = new Map<number, Visit>();
  private readonly attempts = new Map<Task, Attempts>();
  private readonly steps: string[] = [];
  /** Since anybody got something done. */
  private rounds = 0;
  private total: number;
  private totalBefore: number;

  constructor(
    private readonly machine: Machine,
    /** By actor. */
    private readonly names: readonly string[],
  ) {
    this.units = new UnitsDone(machine);
    this.overtaken = new Overtaken(machine.sched.tasks, names);
    this.total = this.units.total;
    this.totalBefore = this.total;
  }

  onStep(task: Task | null, step: StepId, a: number, b: number): void {
    if (task === null || this.verdict !== null) return;
    this.units.onStep(task.actor, step, b);
    this.keep(task, step, a, b);
    this.verdict = this.overtaken.onStep(this.unitsOfAll);
    if (this.verdict !== null) return;
    const pageArgument = faultSteps.get(step);
    if (pageArgument !== undefined) this.countAttempt(task, pageArgument === 0 ? a : b);
    if (step === tooEarlyStep) this.beginAgain();
    else if (roundSteps.has(step)) this.lookAtState();
  }

  /** Whether anybody has got anything done since the last call, or the beginning. */
  hasGotOn(): boolean {
    const { total } = this.units;
    const hasGotOn = total !== this.totalBefore;
    this.totalBefore = total;
    return hasGotOn;
  }

  private keep(task: Task, step: StepId, a: number, b: number): void {
    const { name } = stepDefinition(step);
    if (name.startsWith(MESSAGE)) return;
    this.howFar.onStep(task, step, a, b);
    if (this.steps.length < STEPS_KEPT) this.steps.push(`${this.names[task.actor]}: ${task.name}: ${name}`);
  }

  private lookAtState(): void {
    const { total } = this.units;
    if (total !== this.total || this.steps.length >= STEPS_KEPT) {
      this.total = total;
      this.forget();
      return;
    }
    if (++this.rounds <= ROUNDS_UNSEEN) return;
    const state = machineFingerprint(this.machine, (task) => this.howFar.of(task));
    const visit = this.seen.get(state);
    if (visit === undefined) {
      this.seen.set(state, { count: 1, at: this.steps.length });
      return;
    }
    visit.count++;
    if (visit.count >= VISITS)
      this.verdict = this.livelock(`${SAME_STATE} ${VISITS} times`, this.steps.slice(visit.at));
    visit.at = this.steps.length;
  }

  private forget(): void {
    this.rounds = 0;
    this.seen.clear();
    this.steps.length = 0;
    for (const known of this.attempts.values()) known.at = 0;
  }

  /** Whatever comes again may be waiting for time to pass. */
  private beginAgain(): void {
    this.forget();
    this.attempts.clear();
  }

  private livelock(what: string, cycle: readonly string[]): Verdict {
    const told = foldedSteps(cycle);
    const shown = told.slice(0, CYCLE_SHOWN);
    const rest = told.length - shown.length;
    return {
      kind: 'livelock',
      invariant: 'L2',
      message: `${what}, and nobody got anything done in between`,
      details: [
        'one round of the cycle:',
        ...shown.map((line) => `  ${line}`),
        ...(rest > 0 ? [`  and ${rest} more of its lines`] : []),
      ],
    };
  }

  private countAttempt(task: Task, page: number): void {
    const { total } = this.units;
    const known = this.attemptsOf(task, page, total);
    known.count++;
    known.inVain = total === known.total ? known.inVain + 1 : 1;
    const others = total - known.ofAll;
    if (known.count >= ATTEMPTS && others >= UNITS_OF_OTHERS)
      this.verdict = this.starvation(task, known, others);
    else if (known.inVain >= ATTEMPTS_OF_ALL)
      this.verdict = this.livelock(this.describe(task, page, known.inVain), this.steps.slice(known.at));
    known.total = total;
    known.at = this.steps.length;
  }

  /** Anew where it has done something since, or faults on another page. */
  private attemptsOf(task: Task, page: number, total: number): Attempts {
    const ofActor = this.units.of(task.actor);
    const known = this.attempts.get(task);
    if (known !== undefined && known.page === page && known.ofActor === ofActor) return known;
    const made = { page, count: 0, ofActor, ofAll: total, inVain: 0, total, at: this.steps.length };
    this.attempts.set(task, made);
    return made;
  }

  private describe(task: Task, page: number, count: number): string {
    return `${this.names[task.actor]}: ${task.name} faulted ${count} times at ${formatVpn(vpn(page))}`;
  }

  private starvation(task: Task, { page, count }: Attempts, others: number): Verdict {
    return {
      kind: 'starvation',
      invariant: null,
      message: `${this.describe(task, page, count)}, while others did ${others} accesses and calls`,
      details: [`last at ${stepDefinition(task.lastStep).name}`],
    };
  }
}
