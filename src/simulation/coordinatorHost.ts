/** The Coordinator with its control plane: made in its worker, or on the main thread under `virtual`. */

import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { COORDINATOR, type Coordinator } from '../actors/coordinator.js';
import type { Machine } from '../actors/machine.js';
import type { Vpn } from '../base/units.js';
import type { CheckResult } from '../check/checkResult.js';
import { CheckerPlan } from '../check/online/checkerSet.js';
import { chooseCheckers } from '../check/online/chooseCheckers.js';
import { StepFindings } from '../check/online/stepFindings.js';
import type { EventSource, Subject } from '../check/rule.js';
import { tornDownViolations, verify, verifyTornDown, violations } from '../check/verify.js';
import type { GpuSnapshot } from '../device/gpuSnapshot.js';
import { ObserverBuffers } from '../observe/actorObserver.js';
import { type DriverEvent, DriverEvents } from '../observe/driverEvents.js';
import type { Port } from '../sim/port.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Task } from '../sim/task.js';
import type { ActorProgress, Workload } from '../workload/workload.js';
import type { CoordinatorHost } from './actorHost.js';
import { buildCoordinator, buildWorkloads, coordinatorPort, cpuActorId, deviceActorId } from './assemble.js';
import { describeEverywhere } from './describePage.js';
import type { Extensions } from './extensions.js';
import { type LockState, lockStates } from './lockStates.js';
import { lastEventsOf } from './runEvents.js';
import { actorNames, type SharedBuffers } from './sharedBuffers.js';
import type { SimulationConfig } from './simulationConfig.js';
import { waitsOf } from './waits.js';

const IDLE_POLL_MS = 1;
const TORN_DOWN = 'torn-down';

export class LocalCoordinator implements CoordinatorHost {
  readonly coordinator: Coordinator;
  /** By actor: devices, then CPU threads. */
  readonly ports: readonly Port[];
  private readonly workloads: readonly Workload[];
  private readonly events = new DriverEvents();
  private findings = new StepFindings([]);

  constructor(
    private readonly sched: Scheduler,
    private readonly config: SimulationConfig,
    private readonly buffers: SharedBuffers,
    extensions: Extensions = {},
  ) {
    const names = actorNames(config);
    const devicePorts = Array.from({ length: config.deviceCount }, (_, i) =>
      coordinatorPort(sched, config, buffers, deviceActorId(i), names[1 + i]),
    );
    const cpuPorts = config.workloads.map((_, i) => {
      const actor = cpuActorId(config, i);
      return coordinatorPort(sched, config, buffers, actor, names[actor]);
    });
    this.ports = [...devicePorts, ...cpuPorts];
    this.workloads = buildWorkloads(config, buffers, extensions.programs);
    if (config.workloads.some(({ kind }) => kind === 'case')) sched.addObserver(this.events);
    this.coordinator = buildCoordinator(sched, config, buffers, devicePorts, cpuPorts, extensions);
  }

  /** The checkers that the configuration asks for watch the run from now on; without the other actors those that need nobody else. */
  watch(others: Pick<Machine, 'devices' | 'cpus'> | null): void {
    const kinds = chooseCheckers(this.config.checks ?? 'none', others === null);
    const { sched, coordinator } = this;
    this.findings = new StepFindings(kinds);
    const machine = { sched, coordinator, ...(others ?? { devices: [], cpus: [] }) };
    this.findings.follow(new CheckerPlan(kinds).attach(machine, this.findings));
  }

  get tableRoot(): number {
    return this.coordinator.mm.pageTable.root;
  }

  /** Nothing but waiting servants is left: no request is half served, and no garbage waits. */
  get isIdle(): boolean {
    for (const task of this.sched.tasks) {
      if (task.actor === COORDINATOR && !(task.daemon && task.state === 'blocked')) return false;
    }
    return this.ports.every((port) => !port.hasIncoming && !port.hasBacklog);
  }

  /** Looks again after each turn of the event loop where the actors run in between; a worker gives them time to run. */
  async pause(): Promise<void> {
    while (!this.isIdle) await (this.config.executor === 'virtual' ? turn() : sleep(IDLE_POLL_MS));
  }

  resume(): void {}

  /** It has no operations of its own: it is held whenever it has nothing to serve. */
  step(): Promise<void> {
    return this.pause();
  }

  progress(): readonly ActorProgress[] {
    return [];
  }

  waits(): readonly string[] {
    return waitsOf(this.sched, COORDINATOR);
  }

  describePage(devices: readonly GpuSnapshot[], process: number, page: Vpn): readonly string[] {
    return describeEverywhere(this.coordinator, devices, process, page);
  }

  locks(): readonly LockState[] {
    return lockStates(this.sched.tasks);
  }

  verify(
    devices: readonly GpuSnapshot[],
    progress: readonly (readonly ActorProgress[])[],
  ): readonly CheckResult[] {
    const { coordinator, config } = this;
    const knowsContent = config.workloads.every(({ kind }) => kind !== 'case');
    const expectations = knowsContent
      ? this.workloads.flatMap((workload, i) => workload.expect(progress[i]))
      : null;
    const lastEvents: EventSource = (what) => this.lastEvents(what);
    return [...verify({ coordinator, devices, expectations, lastEvents }), ...this.findings.results()];
  }

  /** Rules that do not hold now; without those that compare what programs expect where their progress is not given. */
  violations(
    devices: readonly GpuSnapshot[],
    progress: readonly (readonly ActorProgress[])[] | null = null,
  ): readonly CheckResult[] {
    const { coordinator } = this;
    const expectations =
      progress === null ? null : this.workloads.flatMap((workload, i) => workload.expect(progress[i]));
    const lastEvents: EventSource = (what) => this.lastEvents(what);
    return [...this.findings.violations(), ...violations({ coordinator, devices, expectations, lastEvents })];
  }

  private lastEvents(what: Subject): readonly string[] | null {
    const events = lastEventsOf(this.config, new ObserverBuffers(this.buffers.observer));
    return events.isEmpty ? null : events.touching(what);
  }

  driverEvents(): readonly DriverEvent[] {
    return this.events.list;
  }

  /** Once it resolves devices have been sent all that they are to know: much comes at once, more than their mailboxes may hold. */
  async tearDown(): Promise<void> {
    await new Promise<void>((resolve) => {
      const ended = (error: Error | null): void => {
        // A failed task ends the run by itself.
        if (error === null) resolve();
      };
      this.startTearDown().onDone = ended;
    });
    await this.pause();
  }

  /** For who runs the actors by himself, until they are at rest. */
  startTearDown(): Task {
    return this.sched.spawn(COORDINATOR, 'tear down', this.coordinator.tearDown());
  }

  /** Rules that also hold during a run come back under names of their own; with what was found in the steps of the tear-down. */
  verifyTornDown(devices: readonly GpuSnapshot[]): readonly CheckResult[] {
    return [...this.findings.untold(), ...verifyTornDown(this.coordinator, devices).map(namedTornDown)];
  }

  /** As {@link verifyTornDown}, but tells only of rules that do not hold. */
  tornDownViolations(devices: readonly GpuSnapshot[]): readonly CheckResult[] {
    return [...this.findings.untold(), ...tornDownViolations(this.coordinator, devices).map(namedTornDown)];
  }
}

function namedTornDown(check: CheckResult): CheckResult {
  const name = check.name.startsWith(TORN_DOWN) ? check.name : `${TORN_DOWN} ${check.name}`;
  return { ...check, name };
}
