/** What the workloads with tracked stores have in common: their actors, contexts that tolerate refused accesses, and expectations. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import type { AccessPort } from '../memory/accessPort.js';
import type { Random } from '../sim/random.js';
import type { Steps } from '../sim/steps.js';
import { GhostActor, type GhostMemory, ghostMemory } from './ghost/ghostActor.js';
import { GHOST_KEY, ghostExpectations } from './ghost/ghostExpectation.js';
import type { GhostPages } from './ghost/ghostPages.js';
import type {
  ActorProgress,
  DeviceContext,
  DeviceKernel,
  Expectation,
  HostContext,
  Progress,
  Workload,
  WorkloadResult,
} from './workload.js';
import { actorRandom, CPU_ACTOR, checkContext, contextActor, type WorkloadWorld } from './workloadWorld.js';

/** A device's part: its actor, and a stream of random numbers for each context that goes on from launch to launch. */
export interface DevicePart {
  readonly device: number;
  readonly actor: GhostActor;
  readonly randoms: readonly Random[];
}

export abstract class GhostWorkload implements Workload {
  protected readonly ghost: GhostMemory;
  private host: GhostActor | null = null;
  private part: DevicePart | null = null;

  constructor(
    readonly name: string,
    protected readonly index: number,
    protected readonly world: WorkloadWorld,
    pages: GhostPages,
  ) {
    this.ghost = ghostMemory(pages, index, world);
  }

  protected abstract program(host: HostContext, actor: GhostActor): Steps<WorkloadResult>;
  protected abstract compute(
    context: DeviceContext,
    part: DevicePart,
    phase: number,
    a: number,
  ): Steps<Errno>;

  run(host: HostContext): Steps<WorkloadResult> {
    this.host = new GhostActor(this.ghost, CPU_ACTOR, 1);
    return this.program(host, this.host);
  }

  kernel(device: number, phase: number, a: number): DeviceKernel {
    this.part ??= this.makePart(device);
    const { part } = this;
    assert(part.device === device, 'one instance of a workload serves two devices');
    return (context) => {
      checkContext(context, this.world);
      return this.compute(context, part, phase, a);
    };
  }

  progress(): Progress {
    const actor = this.host ?? this.part?.actor ?? null;
    return { [GHOST_KEY]: actor === null ? null : actor.snapshot() };
  }

  expect(progress: readonly ActorProgress[]): Expectation[] {
    return ghostExpectations(this.ghost, progress);
  }

  /**
   * One access of a context: a store to its word in the page, or in the next one where it has a word, or a load. A store goes only where the
   * actor may store.
   */
  protected *access(
    port: AccessPort,
    actor: GhostActor,
    actorIndex: number,
    local: number,
    index: number,
    isStore: boolean,
    random: Random,
  ): Steps<Errno> {
    const { slots, pages } = this.ghost;
    const owned = isStore ? slots.ownedNear(actorIndex, index, pages.count) : -1;
    const mayStore = owned >= 0 && (actorIndex === CPU_ACTOR || !pages.isMovable(owned));
    if (mayStore) return yield* actor.store(port, local, owned);
    return yield* actor.load(port, local, index, random);
  }

  /** The same on a device: a refused access is counted. OK, or an errno that is no refusal. */
  protected *deviceAccess(
    context: DeviceContext,
    { actor, device, randoms }: DevicePart,
    index: number,
    isStore: boolean,
  ): Steps<Errno> {
    const local = context.index;
    const actorIndex = contextActor(this.world, device, local);
    const errno = yield* this.access(context, actor, actorIndex, local, index, isStore, randoms[local]);
    if (errno !== Errno.EFAULT && errno !== Errno.EPERM) return errno;
    actor.refused++;
    return Errno.OK;
  }

  private makePart(device: number): DevicePart {
    const { contextsPerDevice } = this.world;
    const first = contextActor(this.world, device, 0);
    return {
      device,
      actor: new GhostActor(this.ghost, first, contextsPerDevice),
      randoms: Array.from({ length: contextsPerDevice }, (_, context) =>
        actorRandom(this.world, this.index, first + context),
      ),
    };
  }
}
