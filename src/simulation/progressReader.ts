/** Reads from shared memory what each actor is doing, for the status line and for whoever watches that all get on. */

import { COORDINATOR } from '../actors/coordinator.js';
import { CpuStep } from '../actors/cpuThread.js';
import { DeviceStep } from '../device/deviceStep.js';
import { FaultStep } from '../mm/fault/fault.js';
import type { ObserverBuffers } from '../observe/actorObserver.js';
import { loadOperations } from '../observe/loads.js';
import { Observation } from '../observe/observation.js';
import { PortStep } from '../sim/port.js';
import { PARK, PUMP, STEP, type StepId } from '../sim/steps.js';
import { type LoadClass, loadClasses } from '../workload/workloadConfig.js';
import type { ActorStatus, LoadProgress } from './runReport.js';

/** What only the conductor of the run knows. */
export interface Conducted {
  /** Actors whose program has ended. */
  readonly ended: ReadonlySet<number>;
  /** All but the Coordinator are held. */
  readonly isHeld: boolean;
}

/** Steps that an actor can take again and again without getting anywhere: messages, faults, and what others have done to it. */
const GIVES_A_PAGE = [FaultStep.zeroPage, FaultStep.anonymous];
const NO_PROGRESS: readonly StepId[] = [
  ...Object.values(PortStep),
  STEP,
  PUMP,
  PARK,
  CpuStep.fault,
  DeviceStep.contextBlocked,
  DeviceStep.faultRaised,
  DeviceStep.faultBatch,
  DeviceStep.faultDelivered,
  DeviceStep.faultServed,
  DeviceStep.bind,
  DeviceStep.zap,
  DeviceStep.tlbInvalidate,
  DeviceStep.iommuFault,
];

/** An actor that took steps since the last look runs; one that took none waits. */
export class ProgressReader {
  private readonly observation: Observation;
  private readonly seen: number[];
  private readonly faultsSeen: number[] = [];
  /** Classes that have come at least once. */
  private readonly loads = new Set<LoadClass>();

  constructor(
    buffers: ObserverBuffers,
    private readonly names: readonly string[],
    private readonly firstCpu: number,
  ) {
    this.observation = new Observation(buffers);
    this.seen = names.map(() => 0);
  }

  read(conducted: Conducted): ActorStatus[] {
    return this.names.map((name, actor) => {
      const steps = this.observation.steps(actor);
      const letter = this.letterOf(actor, steps, conducted);
      this.seen[actor] = steps;
      return { name, letter, steps };
    });
  }

  /** Grows as long as the actor gets anything done; of the Coordinator, which works for all, with every step. */
  progressOf(actor: number): number {
    const steps = this.observation.steps(actor);
    if (actor === COORDINATOR) return steps;
    const own = NO_PROGRESS.reduce((sum, step) => sum - this.observation.countOf(actor, step), steps);
    return actor < this.firstCpu ? own : own + this.callsOf(actor);
  }

  /** Of a program, all that it has asked for but its page faults: one that it makes when another has ended is something done. */
  private callsOf(actor: number): number {
    const { observation } = this;
    return observation.countOf(actor, PortStep.send) - observation.countOf(actor, CpuStep.fault);
  }

  /** Pages that the Coordinator has given to processes: one call may go on for as long as there are addresses, while all wait for it. */
  get pagesGiven(): number {
    return GIVES_A_PAGE.reduce((sum, step) => sum + this.observation.countOf(COORDINATOR, step), 0);
  }

  /** A device whose kernel has raised faults since the last call. */
  isSpinning(actor: number): boolean {
    const { observation, faultsSeen } = this;
    const faults = observation.countOf(actor, DeviceStep.faultRaised);
    const isMore = faults > (faultsSeen[actor] ?? 0);
    faultsSeen[actor] = faults;
    return isMore;
  }

  /** In the order of {@link loadClasses}. */
  readLoads(): LoadProgress[] {
    return loadClasses.flatMap((load) => {
      const operations = loadOperations(this.observation, load);
      if (operations > 0) this.loads.add(load);
      return this.loads.has(load) ? [{ load, operations }] : [];
    });
  }

  private letterOf(actor: number, steps: number, { ended, isHeld }: Conducted): string {
    if (ended.has(actor)) return 'E';
    if (steps === 0) return 'I';
    if (isHeld && actor > 0) return 'P';
    if (steps > this.seen[actor]) return 'R';
    return this.faultsOf(actor) > 0 ? 'F' : 'W';
  }

  /** Faults of a device that the host has been told of and has not answered. */
  private faultsOf(actor: number): number {
    const { observation } = this;
    return (
      observation.countOf(actor, DeviceStep.faultDelivered) -
      observation.countOf(actor, DeviceStep.faultServed)
    );
  }
}
