/** A run in which nobody gets anything done ends by itself, also where nobody has asked for it and the simulated clock stands still. */

import { describe, expect, it, vi } from 'vitest';
import {
  type DeviceContext,
  type DriverMaker,
  Errno,
  type HostContext,
  holdPage,
  ioctlReply,
  mapBuffer,
  OWN_REQUEST_FIRST,
  type OwnDriver,
  type RunReport,
  type Setup,
  STEP,
  type Steps,
  simulate,
  type Vpn,
} from '../../src/index.js';

const STILL_STEPS = 300_000;
const STUCK_MS = 20;

vi.mock('../../src/simulation/stillLimits.js', () => ({
  stillStepsMax: () => STILL_STEPS,
  stillSecondsMax: () => 60,
}));
vi.mock('../../src/simulation/restStepsMax.js', () => ({ restStepsMax: () => STILL_STEPS }));

const scenario = { ram: '16MiB', devices: { count: 2, vram: '8MiB' } };
const workloads = [{ kind: 'saxpy' as const, elements: 4096 }];

const rest: Pick<OwnDriver, 'register' | 'notifiersOf' | 'closeAll'> = {
  register() {},
  notifiersOf: () => 0,
  *closeAll() {},
};

const endless: DriverMaker = () => ({
  ...rest,
  *serveFault() {
    for (;;) yield STEP;
  },
});

const idle: DriverMaker = () => ({
  ...rest,
  *serveFault() {
    yield STEP;
    return Errno.OK;
  },
});

function run(setup: Omit<Setup, 'scenario'>): Promise<RunReport> {
  return simulate({ scenario: { ...scenario, workloads }, ...setup });
}

describe('a run ends by itself', () => {
  it('where a driver never gets on, though the clock stands still', async () => {
    const { failure } = await run({ drivers: [endless] });
    expect(failure?.actor).toMatch(/^gpu\d$/);
    expect(failure?.isVerdict).toBe(true);
    expect(failure?.message).toMatch(
      /^nobody has got anything done for 300,000 steps: .* waits for an answer to a fault of gpu\d, held by gpu\d\.fault#\d+, for serveFault\(\) of drivers\[0\] \(after /,
    );
  });

  it('where a driver says that it has served faults and has not', async () => {
    const { failure } = await run({ drivers: [idle] });
    expect(failure?.message).toMatch(/^nobody has got anything done for 300,000 steps: /);
  });

  it('the same way each time', async () => {
    const [first, second] = [await run({ drivers: [idle] }), await run({ drivers: [idle] })];
    expect([second.steps, second.failure]).toEqual([first.steps, first.failure]);
  });

  it('where a driver never ends what it does for a process that goes', async () => {
    const closing: DriverMaker = () => ({
      ...rest,
      *closeAll() {
        for (;;) yield STEP;
      },
    });
    const { failure } = await run({ drivers: [closing] });
    expect(failure?.message).toMatch(/^what is closed at the end does not come to its end/);
  });

  it('where one waits in vain and others go on, if that is asked for', async () => {
    const { failure } = await simulate(
      {
        scenario: { ...scenario, workloads },
        drivers: [endless],
        programs: { goesOn: ({ start }) => ({ run: (host) => touchForever(host, start) }) },
      },
      { stuckAfterMs: STUCK_MS },
    );
    expect(failure?.message).toMatch(
      /^no progress for 0\.02s(, by steps)?: .* waits for an answer to a fault/,
    );
  });
});

function* touchForever(host: HostContext, start: Vpn): Steps<string | null> {
  yield* mapBuffer(host, start, 1);
  for (;;) {
    const base = yield* holdPage(host, start, true);
    if (base < 0) return 'no memory';
    host.release();
    yield STEP;
  }
}

describe('a run goes on', () => {
  const pages = 4;

  it('while a program sleeps for whom others wait', async () => {
    const { failure, outcome } = await simulate({
      scenario,
      programs: {
        sleeps: () => ({
          *run(host) {
            for (let i = 0; i < STILL_STEPS; i++) yield* host.sleep(1000);
            return null;
          },
        }),
      },
    });
    expect([failure, outcome]).toEqual([null, 'completed']);
  });

  it('while a program only thinks', async () => {
    const { failure } = await simulate({
      scenario,
      programs: {
        thinks: () => ({
          *run() {
            for (let i = 0; i < 2 * STILL_STEPS; i++) yield STEP;
            return null;
          },
        }),
      },
    });
    expect(failure).toBeNull();
  });

  it('while a kernel polls', async () => {
    const { failure, workloads: results } = await simulate({
      scenario,
      programs: {
        polls: ({ start }) => ({
          kernel: () => (context) => polling(context, start),
          *run(host) {
            yield* mapBuffer(host, start, pages);
            const errno = yield* host.launch(0, 0, 0, 0);
            return errno === Errno.OK ? null : `ended with ${errno}`;
          },
        }),
      },
    });
    expect(failure).toBeNull();
    expect(results.every(({ ok }) => ok)).toBe(true);
  });

  it('while a driver takes its time for each call of a program', async () => {
    const slow: DriverMaker = () => ({
      ...rest,
      register: (calls) =>
        calls.register(OWN_REQUEST_FIRST, function* () {
          yield STEP;
          return ioctlReply(Errno.OK);
        }),
    });
    const { failure } = await simulate({
      scenario,
      drivers: [slow],
      programs: {
        calls: ({ start }) => ({
          *run(host) {
            for (let i = 0; i < STILL_STEPS / 3; i++)
              yield* host.ioctl(OWN_REQUEST_FIRST, -1, start, 0, 0, 0);
            return null;
          },
        }),
      },
    });
    expect(failure).toBeNull();
  });
});

/** Longer than nobody may get anything done. */
function* polling(context: DeviceContext, page: Vpn): Steps<Errno> {
  for (let i = 0; i < STILL_STEPS; i++) {
    const base = yield* holdPage(context, page, false);
    if (base < 0) return Errno.EFAULT;
    context.release();
    yield STEP;
  }
  return Errno.OK;
}
