/** Repeats a run and tells each step of it: who did what, who waits for whom. */

import { errnoName, isErrno } from '../base/errno.js';
import { formatVpn, vpn } from '../base/units.js';
import type { StepObserver } from '../sim/scheduler.js';
import { type StepField, type StepId, stepDefinition } from '../sim/steps.js';
import type { ActorId, Task } from '../sim/task.js';
import type { Failure } from './failureFile.js';
import { ReplayStrategy } from './strategies/replay.js';
import { runnerOf } from './target.js';
import type { Verdict } from './verdict.js';

/** One line of the trace. */
export interface TraceLine {
  /** Of the executor, from 1; named steps within one of them have the same number. */
  readonly step: number;
  readonly actor: ActorId;
  readonly text: string;
}

export interface ReplayResult {
  /** By actor. */
  readonly actors: readonly string[];
  /** Null when the run was stopped before its end, or went well. */
  readonly verdict: Verdict | null;
  /** Every choice could be made. */
  readonly isExact: boolean;
  readonly steps: number;
}

export interface ReplayLimits {
  /** Ends before this step. */
  readonly stopAt: number;
}

export function replay(
  failure: Failure,
  limits: ReplayLimits,
  tell: (line: TraceLine) => void,
): ReplayResult {
  const strategy = new ReplayStrategy(failure.choices);
  strategy.newExecution();
  const execution = runnerOf(failure.target).begin(strategy);
  const { executor, machine } = execution;
  const trace = new Trace(() => executor.steps, tell);
  executor.addObserver(trace);
  execution.beforeStep = () => {
    trace.tellWaits(executor.tasks);
    return executor.steps + 1 >= limits.stopAt;
  };
  execution.run();
  const stopped = executor.steps + 1 >= limits.stopAt;
  return {
    actors: machine.names,
    verdict: stopped ? null : execution.verdict,
    isExact: strategy.isExact,
    steps: executor.steps,
  };
}

class Trace implements StepObserver {
  private readonly waiting = new Map<Task, string>();

  constructor(
    private readonly stepNumber: () => number,
    private readonly tell: (line: TraceLine) => void,
  ) {}

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    if (task === null) return;
    const { name, fields } = stepDefinition(step);
    const args = [a, b, c, d].slice(0, fields.length).map((value, i) => formatArg(fields[i], value));
    const text = `${task.name}: ${[name, ...args].join(' ')}`;
    this.tell({ step: this.stepNumber(), actor: task.actor, text });
  }

  /** Of tasks that have begun to wait since the last look. */
  tellWaits(tasks: Iterable<Task>): void {
    for (const task of tasks) {
      if (task.waitingFor === null || task.daemon) {
        this.waiting.delete(task);
        continue;
      }
      const what = task.waitingFor.describeWait(task);
      if (this.waiting.get(task) === what) continue;
      this.waiting.set(task, what);
      const holders = task.waitingFor.holders().map(({ name }) => name);
      const held = holders.length === 0 ? '' : `, held by ${holders.join(', ')}`;
      this.tell({
        step: this.stepNumber(),
        actor: task.actor,
        text: `${task.name} WAITS for ${what}${held}`,
      });
    }
  }
}

function formatArg(field: StepField, value: number): string {
  switch (field) {
    case 'vpn':
      return formatVpn(vpn(value));
    case 'errno':
      return isErrno(value) ? errnoName(value) : String(value);
    case 'flags':
      return `0x${value.toString(16)}`;
    default:
      return `${field} ${value}`;
  }
}
