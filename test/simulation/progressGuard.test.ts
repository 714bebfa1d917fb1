/** Who is judged for not getting on: those who have not when they have answered, and not those who have. */

import { beforeEach, describe, expect, it } from 'vitest';
import { ProgressGuard, type Watched, type WatchedFleet } from '../../src/simulation/progressGuard.js';
import { actorNames } from '../../src/simulation/sharedBuffers.js';
import { smallScenario } from './scenarios.js';

const NS_PER_S = 1e9;
const WAIT = 'gpu0 waits for an answer';
const watched: Watched = { ended: new Set(), isVerifying: false, isAtRest: false };
const config = smallScenario({ executor: 'threads' });

let nowNs = 0;
let progress: number[] = [];
/** What happens while the first device is asked. */
let meanwhile: () => void = () => {};

const quiet = { waits: () => [] };
/** Of the Coordinator. */
let driverWaits: string[] = [];
const fleet: WatchedFleet = {
  now: () => nowNs,
  steps: 0,
  coordinator: { waits: () => driverWaits },
  devices: Array.from({ length: config.deviceCount }, (_, device) => ({
    waits: async () => {
      if (device === 0) meanwhile();
      return [WAIT];
    },
  })),
  cpus: Array.from({ length: actorNames(config).length - 1 - config.deviceCount }, () => quiet),
};
let pagesGiven = 0;
const statuses = {
  progressOf: (actor: number) => progress[actor] ?? 0,
  isSpinning: () => false,
  get pagesGiven(): number {
    return pagesGiven;
  },
};

beforeEach(() => {
  nowNs = 0;
  progress = [];
  pagesGiven = 0;
  driverWaits = [];
  meanwhile = () => {};
});

/** Looks each second, for so long. */
async function lookFor(seconds: number, options: { stuckAfterMs?: number }): Promise<void> {
  const guard = new ProgressGuard(config, fleet, statuses, options);
  for (; nowNs <= seconds * NS_PER_S; nowNs += NS_PER_S) await guard.look(watched);
}

describe('an actor that does not get on', () => {
  it('is told with what it waits for', async () => {
    await expect(lookFor(6, { stuckAfterMs: 5000 })).rejects.toThrow(`no progress for 5s: ${WAIT}`);
  });

  it('is none where it got on while it was asked', async () => {
    let asked = 0;
    meanwhile = () => {
      asked++;
      for (let device = 0; device < config.deviceCount; device++) progress[1 + device] = asked;
    };
    await lookFor(12, { stuckAfterMs: 5000 });
    expect(asked).toBeGreaterThan(0);
  });

  it('is told though another one got on while both were asked', async () => {
    meanwhile = () => {
      progress[1] = (progress[1] ?? 0) + 1;
    };
    await expect(lookFor(12, { stuckAfterMs: 5000 })).rejects.toThrow(`no progress for 5s: ${WAIT}`);
  });
});

describe('a run in which nobody gets on', () => {
  it('ends by itself', async () => {
    await expect(lookFor(200, {})).rejects.toThrow(/^nobody has got anything done for \d+s: gpu0 waits/);
  });

  it('goes on where one got on while all were asked', async () => {
    meanwhile = () => {
      progress[1] = (progress[1] ?? 0) + 1;
    };
    await lookFor(200, {});
    expect(progress[1]).toBeGreaterThan(0);
  });

  it('goes on while a process gets pages, or a driver sleeps', async () => {
    driverWaits = ['gpu.fault#15 waits for time'];
    await lookFor(200, {});
    driverWaits = [];
    const guard = new ProgressGuard(config, fleet, statuses, {});
    for (nowNs = 0; nowNs <= 200 * NS_PER_S; nowNs += NS_PER_S) {
      pagesGiven++;
      await guard.look(watched);
    }
    expect(pagesGiven).toBe(201);
  });

  it('goes on where nobody is to be told lost', async () => {
    await lookFor(2000, { stuckAfterMs: 0 });
    expect(nowNs).toBeGreaterThan(2000 * NS_PER_S);
  });
});
