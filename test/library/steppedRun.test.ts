/** A stepped run that has failed, or cannot go on, says so where it is asked whether all is well. */

import { beforeEach, describe, expect, it } from 'vitest';
import { COORDINATOR } from '../../src/actors/coordinator.js';
import { SteppedRun } from '../../src/index.js';
import type { Steps } from '../../src/sim/steps.js';

let run: SteppedRun;

beforeEach(async () => {
  run = await SteppedRun.start({
    scenario: {
      ram: '16MiB',
      devices: { count: 1, vram: '8MiB' },
      workloads: [{ kind: 'saxpy', elements: 1024, rounds: 1 }],
    },
  });
});

function* fail(): Steps<void> {
  throw new Error('made up');
}

function spawn(body: Steps<void>): void {
  run.machine.sched.spawn(COORDINATOR, 'made up', body);
}

describe('a run in which a task fails', () => {
  it('cannot be verified, and says why', () => {
    run.run(undefined, 100);
    spawn(fail());
    expect(() => run.verify()).toThrow('made up');
    expect(() => run.verify()).toThrow('made up');
    expect(run.failure).toContain('made up');
  });

  it('cannot be torn down', () => {
    run.run(() => run.isFinished);
    spawn(fail());
    expect(() => run.tearDown()).toThrow('made up');
    expect(() => run.tearDown()).toThrow('made up');
  });
});

describe('a run in which somebody waits in vain', () => {
  const nothing = { describeWait: () => 'what never comes', holders: () => [] };

  it('cannot be verified, and says who waits', () => {
    spawn(run.machine.sched.park(nothing));
    expect(() => run.verify()).toThrow('made up waits for what never comes');
  });

  it('cannot be torn down', () => {
    run.run(() => run.isFinished);
    spawn(run.machine.sched.park(nothing));
    expect(() => run.tearDown()).toThrow('made up waits for what never comes');
  });
});

it('a run that goes well is verified on its way, and goes on', () => {
  run.run(undefined, 100);
  expect(run.verify().every(({ ok }) => ok)).toBe(true);
  run.run();
  expect(run.verify().every(({ ok }) => ok)).toBe(true);
  expect(run.tearDown().every(({ ok }) => ok)).toBe(true);
});

it('a run is torn down once, when its programs have ended, and verified before', () => {
  expect(() => run.tearDown()).toThrow(
    /^SteppedRun\.tearDown\(\): found 0 of \d programs that have ended, allowed: a run of which all have/,
  );
  run.run(() => run.isFinished);
  run.tearDown();
  expect(() => run.tearDown()).toThrow(/found a run that was torn down, allowed: a run that was not$/);
  expect(() => run.verify()).toThrow(/^SteppedRun\.verify\(\): found a run that was torn down/);
});
