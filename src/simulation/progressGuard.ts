/** Watches a run for those who do not get on: one actor for longer than the caller allows, or all of them for longer than anything takes. */

import { COORDINATOR } from '../actors/coordinator.js';
import type { ActorHost } from './actorHost.js';
import { answerInTime, JUDGED_ANSWER_MS } from './answerInTime.js';
import { ActorFailure, type Fleet, type Remote } from './fleet.js';
import { impatientWait, isAsleep, LostProgress } from './lostProgress.js';
import type { ProgressReader } from './progressReader.js';
import type { RunOptions } from './runOptions.js';
import { actorNames } from './sharedBuffers.js';
import type { SimulationConfig } from './simulationConfig.js';
import { stillSecondsMax, stillStepsMax } from './stillLimits.js';

const NS_PER_MS = 1e6;
const NS_PER_S = 1e9;
/** Between two looks, on the executor's clock. */
const LOOK_EVERY_MS = 1_000;
/** The same under `virtual`, where that clock may stand still. */
const LOOK_EVERY_STEPS = 100_000;
/**
 * Under `virtual` an actor may also be given as many steps of all for each second that it may wait: more than any run takes for a second of its clock,
 * which stands still where somebody goes on and on.
 */
const STEPS_PER_SECOND = 20_000_000;
const SPINS = 'its kernel completes no access, and faults again and again';

/** What the conductor of the run knows. */
export interface Watched {
  /** Actors whose program has ended. */
  readonly ended: ReadonlySet<number>;
  /** The Coordinator takes no step and answers nobody. */
  readonly isVerifying: boolean;
  /** Everybody stands still, and what is looked at may take long. */
  readonly isAtRest: boolean;
}

type AskedActor = Pick<Remote<ActorHost>, 'waits'>;

/** What is asked of all actors. */
export interface WatchedFleet extends Pick<Fleet, 'now' | 'steps'> {
  readonly coordinator: AskedActor;
  readonly devices: readonly AskedActor[];
  readonly cpus: readonly AskedActor[];
}

/** Who has got nothing done, and for how long in words. */
interface Lost {
  readonly actors: readonly number[];
  readonly message: string;
  /** Nobody else has, either. */
  readonly isStandstill: boolean;
}

export class ProgressGuard {
  private readonly names: readonly string[];
  private readonly isVirtual: boolean;
  /** By actor, on the executor's clock. */
  private readonly timed: LostProgress | null;
  /** By actor, in steps of all. */
  private readonly stepped: LostProgress | null;
  /** As one: all devices and CPU threads. In steps under `virtual`, else in seconds of looks. */
  private readonly still: LostProgress;
  private readonly stillMax: number;
  private readonly stuckSeconds: number;
  private readonly lookEveryNs: number;
  private lookAtNs = 0;
  private lookAtSteps = 0;
  private lookedNs = 0;
  /** Seconds in which it was looked at: a process that was stopped for a while has passed none meanwhile. */
  private lookedSeconds = 0;

  constructor(
    config: SimulationConfig,
    private readonly fleet: WatchedFleet,
    private readonly statuses: Pick<ProgressReader, 'progressOf' | 'isSpinning' | 'pagesGiven'>,
    { stuckAfterMs }: RunOptions,
  ) {
    this.names = actorNames(config);
    this.isVirtual = config.executor === 'virtual';
    const usualMax = this.isVirtual ? stillStepsMax(config) : stillSecondsMax(config);
    this.stillMax = stuckAfterMs === 0 ? Number.POSITIVE_INFINITY : usualMax;
    this.still = new LostProgress(1, this.stillMax);
    const stuckMs = stuckAfterMs ?? 0;
    const isAsked = stuckMs > 0;
    const stepsMax = Math.max(usualMax, (stuckMs / 1000) * STEPS_PER_SECOND);
    this.timed = isAsked ? new LostProgress(this.names.length, stuckMs * NS_PER_MS) : null;
    this.stepped = isAsked && this.isVirtual ? new LostProgress(this.names.length, stepsMax) : null;
    this.stuckSeconds = stuckMs / 1000;
    this.lookEveryNs = (isAsked ? Math.min(LOOK_EVERY_MS, stuckMs) : LOOK_EVERY_MS) * NS_PER_MS;
    // Under `virtual` steps alone say when to look where nothing is asked of its clock.
    if (this.isVirtual && !isAsked) this.lookAtNs = Number.POSITIVE_INFINITY;
  }

  /** Of the executor's clock: when to look again. */
  get wakeAtNs(): number {
    return this.lookAtNs;
  }

  /** Whether to look however little time has passed. */
  get isDue(): boolean {
    return this.isVirtual && this.fleet.steps >= this.lookAtSteps;
  }

  /** Everybody was held, so nobody can have got on. */
  forgive(): void {
    this.timed?.forgive(this.fleet.now());
    this.stepped?.forgive(this.fleet.steps);
    this.still.forgive(this.isVirtual ? this.fleet.steps : this.lookedSeconds);
    this.lookedNs = this.fleet.now();
  }

  /** An actor may have nothing to do; one that waits for somebody, and in vain, has lost its way. @throws ActorFailure */
  async look(watched: Watched): Promise<void> {
    if (this.fleet.now() < this.lookAtNs && !this.isDue) return;
    this.planNext();
    if (watched.isAtRest) return this.forgive();
    const done = this.names.map((_, actor) => this.statuses.progressOf(actor));
    const spinning = this.names.map((_, actor) => this.statuses.isSpinning(actor));
    for (const lost of this.lostOf(done)) await this.judge(lost, spinning, watched);
  }

  private planNext(): void {
    const { fleet } = this;
    const nowNs = fleet.now();
    this.lookedSeconds += Math.min(nowNs - this.lookedNs, 2 * LOOK_EVERY_MS * NS_PER_MS) / NS_PER_S;
    this.lookedNs = nowNs;
    this.lookAtSteps = fleet.steps + LOOK_EVERY_STEPS;
    if (Number.isFinite(this.lookAtNs)) this.lookAtNs = nowNs + this.lookEveryNs;
  }

  private lostOf(done: readonly number[]): Lost[] {
    const { timed, stepped, still, fleet, isVirtual } = this;
    const ofOthers = done.reduce((sum, count, actor) => (actor === COORDINATOR ? sum : sum + count), 0);
    const ofAll = ofOthers + this.statuses.pagesGiven;
    const stillNow = isVirtual ? fleet.steps : this.lookedSeconds;
    const isStill = still.look(stillNow, [ofAll]).length > 0;
    const unit = isVirtual ? ' steps' : 's';
    const seconds = `no progress for ${this.stuckSeconds}s`;
    return [
      { actors: timed?.look(fleet.now(), done) ?? [], message: seconds, isStandstill: false },
      {
        actors: stepped?.look(fleet.steps, done) ?? [],
        message: `${seconds}, by steps`,
        isStandstill: false,
      },
      {
        actors: isStill ? done.map((_, actor) => actor) : [],
        message: `nobody has got anything done for ${this.stillMax.toLocaleString('en')}${unit}`,
        isStandstill: true,
      },
    ];
  }

  /** All are asked at once, and answers may take long: who has got on meanwhile is not lost. */
  private async judge(
    { actors, message, isStandstill }: Lost,
    spinning: readonly boolean[],
    watched: Watched,
  ): Promise<void> {
    const asked = actors.filter(
      (actor) => !watched.ended.has(actor) && !(actor === COORDINATOR && watched.isVerifying),
    );
    if (asked.length === 0) return;
    const before = asked.map((actor) => this.statuses.progressOf(actor));
    const [isAwaited, ...waits] = await Promise.all([
      isStandstill && this.isProgramAsleep(),
      ...asked.map((actor) => this.waitsOf(actor)),
    ]);
    if (isAwaited) return;
    const stays = asked.map((actor, i) => this.statuses.progressOf(actor) <= before[i]);
    if (isStandstill && stays.some((one, i) => !one && asked[i] !== COORDINATOR)) return;
    asked.forEach((actor, i) => {
      const wait = stays[i] ? waitOf(waits[i], spinning[actor]) : null;
      if (wait !== null) throw new ActorFailure(this.names[actor], `${message}: ${wait}`, true);
    });
  }

  /** Others may be waiting for it. Where time is the wall's, so may a driver be asleep; where it is modelled, sleep ends when nobody else goes on. */
  private async isProgramAsleep(): Promise<boolean> {
    const { cpus, coordinator } = this.fleet;
    const asked = (this.isVirtual ? cpus : [...cpus, coordinator]).map((one) =>
      answerInTime<readonly string[]>(() => one.waits(), [], JUDGED_ANSWER_MS),
    );
    return (await Promise.all(asked)).some(isAsleep);
  }

  private waitsOf(actor: number): Promise<readonly string[] | null> {
    const { coordinator, devices, cpus } = this.fleet;
    return answerInTime<readonly string[] | null>(
      () => [coordinator, ...devices, ...cpus][actor].waits(),
      null,
      JUDGED_ANSWER_MS,
    );
  }
}

/** What an actor that gets nothing done waits for, in words; null where that may last. */
function waitOf(waits: readonly string[] | null, isSpinning: boolean): string | null {
  if (waits === null) return 'it does not answer';
  return impatientWait(waits) ?? (isSpinning ? SPINS : null);
}
