/** Runs cases, several at a time, and tells of each in their order; a case whose allocations fail is shared among all who run. */

import { assert } from '../base/assert.js';
import { UserError } from '../base/userError.js';
import type { Case } from '../case/caseSchema.js';
import type { CaseReport } from '../simulation/case/caseReport.js';
import type { CaseOptions } from '../simulation/case/runCase.js';
import { isAbort } from './exitStatus.js';
import { shareOut } from './shareOut.js';

/** Runs with a failing allocation in one task: far longer than sending it takes, far shorter than the runs of a large case. */
export const TASK_RUNS = 200;

type PlainOptions = Omit<CaseOptions, 'signal'>;

export type RunTask = (one: Case, options: PlainOptions, signal: AbortSignal) => Promise<CaseReport>;

export interface CaseQueueEvents {
  /** A task of the case begins. */
  starts(one: Case): void;
  /** The simulator failed in a task of the case, which counts against that case alone. */
  broke(one: Case, error: unknown): CaseReport;
  /** In the order of the cases. */
  ended(report: CaseReport): void;
}

interface Task {
  readonly index: number;
  readonly options: PlainOptions;
}

/** What is known of a case so far. */
interface Slot {
  report: CaseReport | null;
  tasksLeft: number;
}

export class CaseQueue {
  private readonly slots: readonly Slot[];
  /** The next one last. */
  private readonly tasks: Task[];
  /** Cases that were told of. */
  private told = 0;

  constructor(
    private readonly cases: readonly Case[],
    options: PlainOptions,
    private readonly runTask: RunTask,
    private readonly events: CaseQueueEvents,
  ) {
    this.slots = cases.map(() => ({ report: null, tasksLeft: 1 }));
    const first = options.failures === undefined ? {} : { failures: { ...options.failures, to: TASK_RUNS } };
    this.tasks = cases.map((_, index) => ({ index, options: { ...options, ...first } })).reverse();
  }

  /** Until all are done or the signal comes: false then. A mistake of the user ends all. */
  async run(jobs: number, signal: AbortSignal): Promise<boolean> {
    await shareOut(jobs, signal, (either) => this.serve(either));
    return this.told === this.cases.length;
  }

  private async serve(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const task = this.tasks.pop();
      if (task === undefined) return;
      const one = this.cases[task.index];
      this.events.starts(one);
      const report = await this.reportOf(one, task, signal);
      if (report !== null) this.note(task, report);
    }
  }

  /** Null when the signal ended it. */
  private async reportOf(one: Case, { options }: Task, signal: AbortSignal): Promise<CaseReport | null> {
    try {
      return await this.runTask(one, options, signal);
    } catch (error) {
      if (isAbort(error)) return null;
      if (error instanceof UserError) throw error;
      return this.events.broke(one, error);
    }
  }

  private note(task: Task, report: CaseReport): void {
    const slot = this.slots[task.index];
    slot.report = slot.report === null ? report : together(slot.report, report);
    slot.tasksLeft--;
    this.addRest(task, report, slot);
    assert(slot.tasksLeft >= 0, 'a case has ended more often than it was begun');
    while (this.told < this.slots.length) {
      const { report: done, tasksLeft } = this.slots[this.told];
      if (done === null || tasksLeft > 0) return;
      this.told++;
      this.events.ended(done);
    }
  }

  /** The first task of a case has found out how many runs there are; one that went wrong says enough. */
  private addRest({ index, options }: Task, { failures, status }: CaseReport, slot: Slot): void {
    const asked = options.failures;
    if (failures === undefined || asked === undefined || asked.from !== undefined || status !== 'pass')
      return;
    for (let from = TASK_RUNS; from < failures.chosen; from += TASK_RUNS) {
      const part = { ...options, failures: { ...asked, from, to: from + TASK_RUNS } };
      this.tasks.push({ index, options: part });
      slot.tasksLeft++;
    }
  }
}

/** Of two parts of one case. */
function together(a: CaseReport, b: CaseReport): CaseReport {
  const problems = [...a.problems, ...b.problems];
  const sum = {
    ...a,
    problems,
    status: problems.length > 0 ? ('fail' as const) : a.status,
    verifications: a.verifications + b.verifications,
    wallMs: a.wallMs + b.wallMs,
  };
  if (b.isInternal) return { ...sum, isInternal: true };
  if (a.failures === undefined || b.failures === undefined) return sum;
  return { ...sum, failures: { ...a.failures, runs: a.failures.runs + b.failures.runs } };
}
