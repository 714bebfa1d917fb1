/** Programs that come to no rest under `virtual`: they are waited for only so long, however the run is to be ended or looked at. */

import { describe, expect, it, vi } from 'vitest';
import { type HostContext, type Setup, SteppedRun, simulate } from '../../src/index.js';

vi.mock('../../src/simulation/restStepsMax.js', () => ({ restStepsMax: () => 10_000 }));

const scenario = { ram: '4MiB', devices: { count: 1, vram: '4MiB' } };

function restless(duration?: string): Setup {
  return {
    scenario: duration === undefined ? scenario : { ...scenario, duration },
    programs: {
      spin: () => ({
        *run(host: HostContext) {
          for (;;) yield* host.sleep(1000);
        },
      }),
    },
  };
}

describe('a program that neither stops nor passes its gate', () => {
  it('ends a run whose time is up', async () => {
    const { failure } = await simulate(restless('1ms'));
    expect(failure?.message).toBe('programs do not stop');
  });

  it('ends a run that is to be verified', async () => {
    const { failure } = await simulate(restless(), { verifyEveryMs: 1 });
    expect(failure?.message).toContain('programs do not pass their gates');
  });

  it('ends a run that is to be held', async () => {
    const { failure } = await simulate(restless(), { onLive: (live) => live.pause() });
    expect(failure?.message).toContain('programs do not pass their gates');
  });

  it('is told to whoever drives the run', async () => {
    const run = await SteppedRun.start(restless());
    expect(() => run.verify()).toThrow('a program has not passed its gate');
  });
});

it('a run is held for whoever watches it, and its clock goes on only where somebody does something', async () => {
  let heldAtMs = -1;
  const counts: Setup = {
    scenario,
    programs: {
      count: () => ({
        *run(host: HostContext) {
          for (let i = 0; i < 200_000; i++) {
            yield* host.gate.pass();
            yield* host.sleep(1000);
          }
          return null;
        },
      }),
    },
  };
  const report = await simulate(counts, {
    onLive: (live) => {
      live.pause();
      const look = async (): Promise<void> => {
        while (!live.isHeld) await new Promise((resolve) => setTimeout(resolve, 1));
        heldAtMs = (await live.snapshot()).elapsedMs;
        live.resume();
      };
      void look();
    },
  });
  expect(report.failure).toBeNull();
  expect(heldAtMs).toBeGreaterThan(0);
  expect(report.simulatedNs).toBeGreaterThanOrEqual(200_000_000);
});
