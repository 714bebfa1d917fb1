/** Waiting under the virtual executor: whoever comes to rest late is waited for, and who never does is a deadlock. */

import { describe, expect, it, vi } from 'vitest';
import { COORDINATOR } from '../../src/actors/coordinator.js';
import { loadScenario } from '../../src/scenario/loadScenario.js';
import { STEP, type Steps } from '../../src/sim/steps.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { allocateBuffers } from '../../src/simulation/sharedBuffers.js';
import { VirtualFleet } from '../../src/simulation/virtualFleet.js';

/** More than the fleet takes between two looks at the event loop. */
const LONG_WORK_STEPS = 51_000;

function newFleet(): VirtualFleet {
  const config = loadScenario('config/explore-share.yaml', { executor: 'virtual' });
  const strategy = new RandomStrategy(1);
  strategy.newExecution();
  return new VirtualFleet(config, allocateBuffers(config), strategy);
}

function* work(steps: number): Steps<void> {
  for (let i = 0; i < steps; i++) yield STEP;
}

async function holdAll({ devices, cpus, coordinator }: VirtualFleet): Promise<void> {
  await Promise.all([...devices, ...cpus].map((actor) => actor.pause()));
  await coordinator.pause();
}

describe('a virtual fleet', () => {
  it('is held once the coordinator has done what takes longer than a slice', async () => {
    const fleet = newFleet();
    fleet.executor.spawn(COORDINATOR, 'long work', work(LONG_WORK_STEPS));
    await fleet.during(holdAll(fleet));
    expect(fleet.coordinator.isIdle).toBe(true);
    expect(fleet.steps).toBeGreaterThanOrEqual(LONG_WORK_STEPS);
  });

  it('runs what is started only when somebody has seen that all are at rest', async () => {
    const fleet = newFleet();
    fleet.executor.spawn(COORDINATOR, 'long work', work(LONG_WORK_STEPS));
    const heldAndTornDown = holdAll(fleet).then(() => fleet.coordinator.tearDown());
    await fleet.during(heldAndTornDown);
    expect(fleet.executor.stuckTasks()).toEqual([]);
  });

  it('waits many times for one promise with one reaction to it', async () => {
    const fleet = newFleet();
    fleet.executor.spawn(COORDINATOR, 'long work', work(LONG_WORK_STEPS));
    const never = new Promise<void>(() => {});
    const reactions = vi.spyOn(never, 'then');
    for (let i = 0; i < 3; i++) expect(await fleet.until(never, 0, undefined)).toBe('time');
    expect(reactions).toHaveBeenCalledTimes(1);
  });

  it('hears a signal though something is due in every slice', async () => {
    const fleet = newFleet();
    const controller = new AbortController();
    const abort = (): boolean => {
      controller.abort();
      return true;
    };
    const never = new Promise<void>(() => {});
    expect(await fleet.until(never, 0, controller.signal, abort)).toBe('aborted');
    const { steps } = fleet;
    expect(await fleet.until(never, Number.POSITIVE_INFINITY, controller.signal)).toBe('aborted');
    expect(fleet.steps).toBe(steps);
  });

  it('comes back for whoever wants something before the time', async () => {
    const fleet = newFleet();
    fleet.executor.spawn(COORDINATOR, 'long work', work(LONG_WORK_STEPS));
    const never = new Promise<void>(() => {});
    expect(await fleet.until(never, Number.POSITIVE_INFINITY, undefined, () => true)).toBe('time');
  });

  it('tells of a deadlock where somebody waits for what never comes', async () => {
    const fleet = newFleet();
    const nothing = { describeWait: () => 'what never comes', holders: () => [] };
    fleet.executor.spawn(COORDINATOR, 'forever', fleet.executor.park(nothing));
    await expect(fleet.during(holdAll(fleet))).rejects.toThrow('deadlock: every task waits for another');
  });
});
