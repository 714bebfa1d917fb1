/** Repeats a failing run and tells each step of it: who did what, who holds what, who waits for whom, and what became of the pages. */

import { PageStates } from '../../check/pageStates.js';
import type { ActorId } from '../../sim/task.js';
import { describeHeld, describeWait, taskLabel } from '../../sim/waitGraph.js';
import type { Execution } from '../execution.js';
import type { Failure } from '../failureFile.js';
import { nondeterminismOf } from '../nondeterminism.js';
import { ReplayStrategy } from '../strategies/replay.js';
import { runnerOf } from '../target.js';
import type { Verdict } from '../verdict.js';
import { StepLine } from './stepLine.js';
import { WatchedStrategy } from './watchedStrategy.js';

/** One line of the trace. */
export interface TraceLine {
  /** Of the executor, from 1; 0 for what is said of the moment after the last one. */
  readonly step: number;
  readonly actor: ActorId;
  /** The state of pages after the step, or what the actor did in it. */
  readonly kind: 'step' | 'page' | 'standing';
  readonly text: string;
}

export interface ReplayResult {
  /** Null when the run was stopped before its end, or went well. */
  readonly verdict: Verdict | null;
  /** Every choice could be made. */
  readonly isExact: boolean;
  readonly steps: number;
  /** It ended before the step that it was to end before. */
  readonly isStopped: boolean;
}

export interface ReplayLimits {
  /** Ends before this step. */
  readonly stopAt: number;
  /** Tells how each page changes. */
  readonly withPages: boolean;
  /** Ends with the first choice that cannot be made: a file may be anybody's, and what comes after has no end that is known. */
  readonly mustFit: boolean;
}

export interface TraceListener {
  /** Once, before the first line: by actor. */
  begin(actors: readonly string[]): void;
  line(line: TraceLine): void;
}

/** @throws UserError for a program that cannot run any more. */
export function replay(failure: Failure, limits: ReplayLimits, listener: TraceListener): ReplayResult {
  const strategy = new ReplayStrategy(failure.choices);
  const watched = new WatchedStrategy(strategy);
  watched.newExecution();
  const execution = runnerOf(failure.target).begin(watched);
  const telling = new Telling(execution, watched, limits, listener);
  execution.beforeStep = () => telling.beforeStep() || (limits.mustFit && strategy.divergences > 0);
  execution.run();
  telling.end();
  return {
    verdict: telling.isStopped ? null : (runAgain(failure) ?? execution.verdict),
    isExact: strategy.isExact,
    steps: execution.executor.steps,
    isStopped: telling.isStopped,
  };
}

/** A schedule that does not say how a run goes shows only where it is run twice. */
function runAgain({ target, verdict, choices }: Failure): Verdict | null {
  if (verdict.kind !== 'nondeterminism') return null;
  const runner = runnerOf(target);
  return nondeterminismOf(runner, runner.replay(choices).outcome);
}

class Telling {
  isStopped = false;
  private readonly line: StepLine;
  private readonly pages: PageStates | null;
  private told = 0;

  constructor(
    private readonly execution: Execution,
    private readonly strategy: WatchedStrategy,
    private readonly limits: ReplayLimits,
    private readonly listener: TraceListener,
  ) {
    const { executor, machine } = execution;
    this.line = new StepLine(machine.names);
    executor.addObserver(this.line);
    executor.waitObserver = this.line;
    this.pages = limits.withPages ? new PageStates(machine.parts) : null;
    listener.begin(machine.names);
  }

  /** True where the run should end. */
  beforeStep(): boolean {
    this.tellLast();
    this.isStopped = this.execution.executor.steps + 1 >= this.limits.stopAt;
    return this.isStopped;
  }

  end(): void {
    this.tellLast();
    if (this.isStopped || this.execution.verdict !== null) this.tellStanding();
  }

  private tellLast(): void {
    const { steps, tasks } = this.execution.executor;
    const task = this.strategy.last;
    if (steps === this.told || task === null) {
      if (steps === 0) this.line.begin(tasks);
      return;
    }
    this.told = steps;
    this.listener.line({ step: steps, actor: task.actor, kind: 'step', text: this.line.take(task, tasks) });
    for (const text of this.pages?.changes() ?? [])
      this.listener.line({ step: steps, actor: task.actor, kind: 'page', text });
  }

  /** What everybody has and wants at this moment. */
  private tellStanding(): void {
    for (const task of this.execution.executor.tasks) {
      const wait = describeWait(task);
      const held = describeHeld(task);
      if (task.daemon && task.state === 'blocked' && held === '') continue;
      const does = wait === null ? 'can go on' : `waits for ${wait}`;
      const text = `${taskLabel(task)} ${does}${held === '' ? '' : `; holds ${held}`}`;
      this.listener.line({ step: 0, actor: task.actor, kind: 'standing', text });
    }
  }
}
