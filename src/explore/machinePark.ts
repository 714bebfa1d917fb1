/** Has a machine ready for each run: the one of the run before, taken back to its beginning, or a new one where that cannot be or must not. */

import { assert } from '../base/assert.js';
import type { BugOverlay } from '../bugs/bugOverlay.js';
import type { CheckerPlan, CheckerSet } from '../check/online/checkerSet.js';
import { ObserverBuffers } from '../observe/actorObserver.js';
import { RunObserver } from '../observe/runObserver.js';
import type { Strategy } from '../sim/strategy.js';
import { BufferEraser } from '../simulation/bufferEraser.js';
import type { SharedBuffers } from '../simulation/sharedBuffers.js';
import { VirtualMachine } from '../simulation/virtualMachine.js';
import type { BufferStock } from './bufferStock.js';
import { FirstReport } from './firstReport.js';
import { MachineImage } from './rewind/machineImage.js';
import { readsCounters, type Subject } from './subject.js';

/** Simulated: modelled costs are left out, and without any time whoever sleeps would wait for all others. */
const STEP_NS = 100;

/** After each of so many runs everything is looked at for what has changed. */
const LEARNING_RUNS = 100;

/** Runs that end badly seldom come alone, and to make a machine that can be kept takes several times as long as to make one. */
const WARY_RUNS = 8;

/** A machine that has not taken a step, and what watches it. */
export interface ReadyMachine {
  readonly machine: VirtualMachine;
  readonly checkers: CheckerSet;
  readonly reports: FirstReport;
}

export interface HowReady {
  /** Built for this run. */
  readonly isNew?: boolean;
  /** Only what runs before have been seen to change is put back. */
  readonly trusts?: boolean;
}

export class MachinePark {
  private readonly buffers: SharedBuffers;
  private readonly eraser: BufferEraser;
  private readonly countsSteps: boolean;
  /** Of the run before; it is over. */
  private last: ReadyMachine | null = null;
  private kept: { readonly ready: ReadyMachine; readonly image: MachineImage } | null = null;
  /** Code of the user's, and bugs, may have state of their own, which nobody knows how to put back. */
  private canKeep: boolean;
  private takenBack = 0;
  /** For so many more no machine is kept. */
  private waryRuns = 0;
  /** Since the last look, a run has begun of which nobody knew what the one before had changed. */
  private hasTrusted = false;
  /** A look found a change that runs which had begun on trust may have begun with. */
  private wasMistaken = false;
  private isClosed = false;

  constructor(
    private readonly subject: Subject,
    private readonly overlay: BugOverlay | null,
    private readonly plan: CheckerPlan,
    private readonly stock: BufferStock,
  ) {
    this.buffers = stock.take(subject.config);
    this.countsSteps = readsCounters(subject);
    this.eraser = new BufferEraser(subject.config, this.buffers);
    this.canKeep = overlay === null && subject.extensions === undefined;
  }

  /**
   * The run before is over. A new machine on request: that a run goes the same way on one shows that nothing is left of the runs before. There is
   * also a new one after a run that did not come to a good end: it stopped in the middle of everything, which no other run has been seen to leave.
   * Whoever trusts in what runs before have shown to change asks {@link hasStayedClean} later.
   */
  ready(strategy: Strategy, { isNew = false, trusts = false }: HowReady): ReadyMachine {
    assert(!this.isClosed, 'a machine of memory that others may have');
    const isAfterBadEnd = this.last !== null && endedBadly(this.last);
    if (this.last !== null && this.last === this.kept?.ready) this.leaveKept(isNew, isAfterBadEnd);
    this.eraseLast(isNew);
    if (isAfterBadEnd) this.waryRuns = WARY_RUNS;
    this.last = isNew ? this.build(strategy) : this.takeBack(strategy, trusts);
    return this.last;
  }

  /** False: since the last call, a run has changed what no run before had, and runs after it may have begun with that. */
  hasStayedClean(): boolean {
    this.look();
    const { wasMistaken } = this;
    this.wasMistaken = false;
    return !wasMistaken;
  }

  /** The last run is over, and no other follows: others may have the memory. */
  close(): void {
    assert(!this.isClosed, 'closed twice');
    this.isClosed = true;
    if (this.last !== null) this.eraser.eraseUsed(this.last.machine);
    this.eraser.eraseRest();
    this.stock.give(this.subject.config, this.buffers);
  }

  private takeBack(strategy: Strategy, trusts: boolean): ReadyMachine {
    if (this.kept === null) return this.buildNext(strategy);
    const { ready, image } = this.kept;
    if (!trusts || this.takenBack < LEARNING_RUNS || this.last !== ready) this.look();
    else this.hasTrusted = true;
    this.takenBack++;
    image.restore(strategy);
    return ready;
  }

  /** At everything. What only the run before can have changed is no mistake: it did not begin with that. */
  private look(): void {
    if (this.kept?.image.learn() === true && this.hasTrusted) this.wasMistaken = true;
    this.hasTrusted = false;
  }

  /** Before another machine has the memory. */
  private leaveKept(isNew: boolean, isAfterBadEnd: boolean): void {
    if (isNew || isAfterBadEnd) this.look();
    if (!isAfterBadEnd) return;
    this.kept = null;
    this.takenBack = 0;
  }

  private buildNext(strategy: Strategy): ReadyMachine {
    if (this.waryRuns === 0) return this.buildToKeep(strategy);
    this.waryRuns--;
    return this.build(strategy);
  }

  private buildToKeep(strategy: Strategy): ReadyMachine {
    const ready = this.build(strategy);
    if (!this.canKeep) return ready;
    const image = new MachineImage(ready, this.subject.config, this.buffers, strategy);
    if (image.isWhole && this.eraser.isErased) this.kept = { ready, image };
    else this.canKeep = false;
    return ready;
  }

  private eraseLast(isNew: boolean): void {
    if (this.last === null) return;
    this.eraser.eraseUsed(this.last.machine);
    if (isNew || this.kept === null) this.eraser.eraseRest();
  }

  private build(strategy: Strategy): ReadyMachine {
    const { config, extensions } = this.subject;
    const machine = new VirtualMachine(config, this.buffers, strategy, extensions);
    machine.executor.stepNs = STEP_NS;
    if (this.countsSteps) this.count(machine);
    this.overlay?.apply(machine.parts);
    const reports = new FirstReport();
    return { machine, reports, checkers: this.plan.attach(machine.parts, reports) };
  }

  /** From 0; where the machine is kept they go on from run to run, since cases compare two readings. */
  private count({ executor }: VirtualMachine): void {
    const { observer } = this.buffers;
    new Float64Array(observer).fill(0);
    executor.addObserver(new RunObserver(new ObserverBuffers(observer), executor));
  }
}

/** Something was wrong, or its programs have not ended. */
function endedBadly({ machine, reports }: ReadyMachine): boolean {
  return reports.verdict !== null || [...machine.executor.tasks].some(({ daemon }) => !daemon);
}
