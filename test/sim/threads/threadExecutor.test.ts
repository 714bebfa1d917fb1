/** The threads executor: tasks run in turn, mail and timers are served, it stops when told, and two of them talk across threads. */

import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { defineMessage, field } from '../../../src/sim/message.js';
import { Port } from '../../../src/sim/port.js';
import { Ring } from '../../../src/sim/ring.js';
import { TaskFailure } from '../../../src/sim/scheduler.js';
import { PARK, STEP, type Steps } from '../../../src/sim/steps.js';
import { actorId } from '../../../src/sim/task.js';
import { Doorbell } from '../../../src/sim/threads/doorbell.js';
import { ThreadExecutor } from '../../../src/sim/threads/threadExecutor.js';
import { TestStep } from '../harness.js';

const Echo = defineMessage('test.echo', { value: field() }, { value: field() });
const Notice = defineMessage('test.notice', { value: field() }, {});
const Drop = defineMessage('test.drop', { value: field() }, {}, { isDeferrable: true });

/** The doorbell of somebody who always sleeps. */
class Sleeper extends Doorbell {
  isWoken = false;
  override get isOwnerAsleep(): boolean {
    return true;
  }
  override knock(): boolean {
    super.knock();
    return true;
  }
  override wakeOwner(): void {
    this.isWoken = true;
  }
}

function makeExecutor(seed = 1): ThreadExecutor {
  const executor = new ThreadExecutor(seed);
  executor.attach(new Doorbell(new SharedArrayBuffer(Doorbell.bytesFor(1)), 0));
  return executor;
}

/** Runs until the tasks given have ended. */
async function runTasks(executor: ThreadExecutor, ...bodies: Steps<unknown>[]): Promise<void> {
  let open = bodies.length;
  for (const [i, body] of bodies.entries()) {
    executor.spawn(actorId(0), `t${i}`, body).onDone = () => {
      open--;
      if (open === 0) executor.stop();
    };
  }
  await executor.run();
}

/** An executor that answers {@link Echo}, and the port of who asks it. */
function withServer(): { executor: ThreadExecutor; own: Doorbell; other: Doorbell; client: Port } {
  const [up, down] = [0, 1].map(() => new Ring(new SharedArrayBuffer(Ring.bytesFor(4)), 0, 4));
  const executor = new ThreadExecutor(1);
  const bells = new SharedArrayBuffer(Doorbell.bytesFor(2));
  const [own, other] = [new Doorbell(bells, 0), new Doorbell(bells, 1)];
  executor.attach(own);
  const client = new Port(executor, actorId(1), actorId(0), 'the server', up, down);
  const server = new Port(executor, actorId(0), actorId(1), 'the client', down, up);
  server.answer(Echo, ({ value }) => ({ value: value + 1 }));
  executor.addLink({ port: server, peerDoorbell: other });
  return { executor, own, other, client };
}

describe('a doorbell', () => {
  it('counts how often it rang, and does not let its owner sleep over a ring', () => {
    const buffer = new SharedArrayBuffer(Doorbell.bytesFor(2));
    const [bell, other] = [new Doorbell(buffer, 0), new Doorbell(buffer, 1)];
    const seen = bell.count();
    bell.ring();
    expect([bell.count() - seen, other.count()]).toEqual([1, 0]);
    // Returns at once, since the count is not what it was; the time-out would fail the test.
    bell.wait(seen, 600_000);
  });
});

describe('an executor in a thread of its own', () => {
  it('runs tasks in turn, each for a while', async () => {
    const log: string[] = [];
    const body = function* (name: string): Steps<void> {
      for (let i = 0; i < 400; i++) {
        if (log.at(-1) !== name) log.push(name);
        yield TestStep.a;
      }
    };
    await runTasks(makeExecutor(), body('a'), body('b'));
    expect(log.slice(0, 4)).toEqual(['a', 'b', 'a', 'b']);
    expect(log.length).toBeLessThan(20);
  });

  it('has the time of the wall: work costs nothing extra, sleep is sleep', async () => {
    const executor = makeExecutor();
    const body = function* (): Steps<void> {
      const before = executor.now();
      yield* executor.spend(10_000_000_000);
      yield* executor.sleep(3_000_000);
      expect(executor.now() - before).toBeGreaterThanOrEqual(3_000_000);
    };
    await runTasks(executor, body());
    expect(executor.failure).toBe(null);
    expect(executor.modelsTime).toBe(false);
  });

  it('draws the same random numbers for the same seed', () => {
    const [one, same, other] = [makeExecutor(1), makeExecutor(1), makeExecutor(2)].map((each) =>
      each.randomU32(),
    );
    expect(same).toBe(one);
    expect(other).not.toBe(one);
  });

  it('rejects with the task that failed', async () => {
    const executor = makeExecutor();
    const body = function* (): Steps<void> {
      if (executor.reach(TestStep.b)) yield STEP;
      throw new Error('no more');
    };
    executor.spawn(actorId(0), 'a', body());
    await expect(executor.run()).rejects.toThrow(TaskFailure);
    expect(executor.failure?.message).toMatch(
      /^a \(after step test\.b, at threadExecutor\.test\.ts:\d+\): no more$/,
    );
  });

  it('delivers its mail, rings after sending, and answers', async () => {
    const [up, down] = [0, 1].map(() => new Ring(new SharedArrayBuffer(Ring.bytesFor(4)), 0, 4));
    const executor = makeExecutor();
    const bells = new SharedArrayBuffer(Doorbell.bytesFor(1));
    const peerDoorbell = new Doorbell(bells, 0);
    const server = new Port(executor, actorId(0), actorId(1), 'the client', down, up);
    server.answer(Echo, ({ value }) => ({ value: value + 1 }));
    executor.addLink({ port: server, peerDoorbell });
    const client = new Port(executor, actorId(1), actorId(0), 'the server', up, down);
    executor.addLink({ port: client, peerDoorbell });
    const body = function* (): Steps<void> {
      for (let i = 0; i < 50; i++) expect((yield* client.call(Echo, { value: i })).value).toBe(i + 1);
    };
    await runTasks(executor, body());
    expect(executor.failure).toBe(null);
    expect(peerDoorbell.count()).toBeGreaterThanOrEqual(50);
  });

  it('answers between two steps of a task, which need not be over for it', async () => {
    const { executor, own, other, client } = withServer();
    const seen: boolean[] = [];
    const body = function* (): Steps<void> {
      if (executor.reach(TestStep.a)) yield STEP;
      client.start(Echo, { value: 1 });
      seen.push(client.hasIncoming);
      own.ring();
      if (executor.reach(TestStep.b)) yield STEP;
      seen.push(client.hasIncoming);
      expect(executor.self.name).toBe('t0');
    };
    await runTasks(executor, body());
    expect(executor.failure).toBe(null);
    expect(seen).toEqual([false, true]);
    expect(other.count()).toBe(1);
  });

  it('looks for mail between any two steps, also of a task that computes and asks nobody', async () => {
    const { executor, own, client } = withServer();
    let stepsUntilAnswer = 0;
    const body = function* (): Steps<void> {
      yield STEP;
      client.start(Echo, { value: 1 });
      own.ring();
      for (; !client.hasIncoming && stepsUntilAnswer < 100; stepsUntilAnswer++) yield STEP;
    };
    await runTasks(executor, body());
    expect(stepsUntilAnswer).toBe(1);
  });

  it('fails with what went wrong in a delivery, whichever task ran', async () => {
    const [up, down] = [0, 1].map(() => new Ring(new SharedArrayBuffer(Ring.bytesFor(4)), 0, 4));
    const executor = new ThreadExecutor(1);
    const bell = new Doorbell(new SharedArrayBuffer(Doorbell.bytesFor(1)), 0);
    executor.attach(bell);
    const client = new Port(executor, actorId(1), actorId(0), 'the server', up, down);
    const server = new Port(executor, actorId(0), actorId(1), 'the client', down, up);
    server.answer(Echo, () => {
      throw new Error('no answer');
    });
    executor.addLink({ port: server, peerDoorbell: bell });
    const body = function* (): Steps<void> {
      client.start(Echo, { value: 1 });
      bell.ring();
      for (;;) if (executor.reach(TestStep.a)) yield STEP;
    };
    executor.spawn(actorId(0), 'busy', body());
    await expect(executor.run()).rejects.toThrow('no answer');
    expect(executor.failure).toBe(null);
  });

  it('takes all that came while it slept before it does anything else', async () => {
    const [up, down] = [0, 1].map(() => new Ring(new SharedArrayBuffer(Ring.bytesFor(256)), 0, 256));
    const executor = new ThreadExecutor(1);
    const bells = new SharedArrayBuffer(Doorbell.bytesFor(2));
    const client = new Port(executor, actorId(1), actorId(0), 'the server', up, down);
    /** Its owner is sent a lot as soon as he sleeps. */
    class Ambush extends Doorbell {
      override wait(seen: number, timeoutMs: number): void {
        if (sent === 0) for (; sent < 200; sent++) client.post(Drop, { value: sent });
        super.wait(seen, timeoutMs);
      }
    }
    let sent = 0;
    let taken = 0;
    executor.attach(new Ambush(bells, 0));
    const server = new Port(executor, actorId(0), actorId(1), 'the client', down, up);
    server.answer(Drop, () => {
      taken++;
      return {};
    });
    executor.addLink({ port: server, peerDoorbell: new Doorbell(bells, 1) });
    const body = function* (): Steps<void> {
      while (sent === 0) yield* executor.sleep(2_000_000);
      expect([sent, taken]).toEqual([200, 200]);
    };
    await runTasks(executor, body());
    expect(executor.failure).toBe(null);
  });

  it('does not wake a peer for what can be deferred, and does for what somebody waits for', async () => {
    const [up, down] = [0, 1].map(() => new Ring(new SharedArrayBuffer(Ring.bytesFor(16)), 0, 16));
    const executor = makeExecutor();
    const bells = new SharedArrayBuffer(Doorbell.bytesFor(2));
    let isAsleep = true;
    /** Falls asleep and awakes as the test says. */
    class Dozer extends Sleeper {
      override get isOwnerAsleep(): boolean {
        return isAsleep;
      }
    }
    const peerDoorbell = new Dozer(bells, 1);
    const client = new Port(executor, actorId(0), actorId(1), 'the dozer', up, down);
    const server = new Port(executor, actorId(1), actorId(0), 'the client', down, up);
    server.answer(Drop, () => ({}));
    executor.addLink({ port: client, peerDoorbell });
    const body = function* (): Steps<void> {
      client.post(Drop, { value: 1 });
      yield* client.finish(Drop, client.start(Drop, { value: 2 }));
      yield* executor.sleep(1_000_000);
      expect([peerDoorbell.isWoken, peerDoorbell.count()]).toEqual([false, 0]);
      // He is awake when he is sent something, and asleep by the time that his doorbell rings.
      isAsleep = false;
      const call = client.start(Drop, { value: 3 });
      expect(client.mustWait(call)).toBe(true);
      server.drain(16);
      yield PARK;
      client.take(Drop, call);
    };
    await runTasks(executor, body());
    expect(executor.failure).toBe(null);
    expect(peerDoorbell.isWoken).toBe(true);
  });

  describe('with a peer that sleeps', () => {
    /** An executor that has sent something to a sleeper, in a task that goes on until he is woken or has taken so many steps. */
    async function stepsUntilWoken(awake: number, stepsMax: number): Promise<number> {
      const [up, down] = [0, 1].map(() => new Ring(new SharedArrayBuffer(Ring.bytesFor(4)), 0, 4));
      const executor = new ThreadExecutor(1);
      const bells = new SharedArrayBuffer(Doorbell.bytesFor(2));
      const [own, peerDoorbell] = [new Doorbell(bells, 0), new Sleeper(bells, 1)];
      executor.attach(own);
      // This executor counts as one.
      for (let i = 1; i < awake; i++) own.join();
      const port = new Port(executor, actorId(0), actorId(1), 'the sleeper', up, down);
      executor.addLink({ port, peerDoorbell });
      let steps = 0;
      const body = function* (): Steps<void> {
        port.post(Notice, { value: 1 });
        while (!peerDoorbell.isWoken && steps < stepsMax) {
          steps++;
          if (executor.reach(TestStep.a)) yield STEP;
        }
      };
      await runTasks(executor, body());
      expect(executor.failure).toBe(null);
      expect(peerDoorbell.isWoken).toBe(true);
      return steps;
    }

    it('wakes him at once while there is a core for him', async () => {
      expect(await stepsUntilWoken(1, 2)).toBe(availableParallelism() > 1 ? 1 : 2);
    });

    it('wakes him in the end where there is none, whether it goes on or has nothing to do any more', async () => {
      const crowd = availableParallelism() + 1;
      await stepsUntilWoken(crowd, Number.POSITIVE_INFINITY);
      await stepsUntilWoken(crowd, 1);
    });
  });

  it('needs a doorbell', async () => {
    await expect(new ThreadExecutor(1).run()).rejects.toThrow('with a doorbell');
  });
});

/** Runs in a worker, from the compiled sources: `role` 0 asks, 1 answers. */
const ACTOR = `
  const { parentPort, workerData } = require('node:worker_threads');
  (async () => {
    const load = (name) => import(workerData.dist + name);
    const [{ Port }, { Ring }, { Doorbell }, { ThreadExecutor }, { defineMessage, field }] = await Promise.all(
      ['port.js', 'ring.js', 'threads/doorbell.js', 'threads/threadExecutor.js', 'message.js'].map(load));
    const { rings, bells, role, calls, capacity } = workerData;
    const Echo = defineMessage('test.echo', { value: field() }, { value: field() });
    const executor = new ThreadExecutor(1);
    executor.attach(new Doorbell(bells, role));
    const [up, down] = rings.map((ring) => new Ring(ring, 0, capacity));
    const port = role === 0
      ? new Port(executor, 0, 1, 'the server', up, down)
      : new Port(executor, 1, 0, 'the client', down, up);
    executor.addLink({ port, peerDoorbell: new Doorbell(bells, 1 - role) });
    if (role === 1) {
      port.serve(Echo, function* ({ value }) {
        return { value: value * 2 };
      });
    } else {
      let open = 8;
      const ask = function* (first) {
        for (let i = first; i < calls; i += 8) {
          const { value } = yield* port.call(Echo, { value: i });
          if (value !== 2 * i) throw new Error('wrong answer ' + value + ' to ' + i);
        }
        if (--open === 0) executor.stop();
      };
      for (let i = 0; i < 8; i++) executor.spawn(0, 'ask', ask(i));
    }
    await executor.run();
    parentPort.postMessage('done');
  })();
`;

/** Role 0 has numbers dropped, a hundred at a time; role 1 looks between short sleeps whether it has heard of all that the other takes for dropped. */
const DROPPER = `
  const { parentPort, workerData } = require('node:worker_threads');
  (async () => {
    const load = (name) => import(workerData.dist + name);
    const [{ Port }, { Ring }, { Doorbell }, { ThreadExecutor }, { defineMessage, field }] = await Promise.all(
      ['port.js', 'ring.js', 'threads/doorbell.js', 'threads/threadExecutor.js', 'message.js'].map(load));
    const { rings, bells, role, rounds, capacity } = workerData;
    const dropped = new Int32Array(workerData.dropped);
    const Drop = defineMessage('test.drop', { value: field() }, {}, { isDeferrable: true });
    const executor = new ThreadExecutor(1);
    executor.attach(new Doorbell(bells, role));
    const [up, down] = rings.map((ring) => new Ring(ring, 0, capacity));
    const port = role === 0
      ? new Port(executor, 0, 1, 'the user', up, down)
      : new Port(executor, 1, 0, 'the dropper', down, up);
    executor.addLink({ port, peerDoorbell: new Doorbell(bells, 1 - role) });
    if (role === 1) {
      let heard = 0;
      port.answer(Drop, ({ value }) => {
        heard = value;
        return {};
      });
      const use = function* () {
        for (let i = 0; ; i++) {
          yield* executor.sleep((i % 7) * 20_000);
          if (Atomics.load(dropped, 0) > heard) throw new Error('uses what was dropped');
          Atomics.add(dropped, 1, 1);
        }
      };
      executor.spawn(1, 'use', use());
    } else {
      const drop = function* () {
        for (let round = 0; round < rounds; round++) {
          for (let i = 1; i < 100; i++) port.post(Drop, { value: 100 * round + i });
          yield* port.finish(Drop, port.start(Drop, { value: 100 * (round + 1) }));
          Atomics.store(dropped, 0, 100 * (round + 1));
          if (round % 5 === 0) yield* executor.sleep(50_000);
        }
        executor.stop();
      };
      executor.spawn(0, 'drop', drop());
    }
    await executor.run();
    parentPort.postMessage({ rounds });
  })();
`;

const dist = new URL('../../../dist/src/sim/', import.meta.url);

// The build comes before the tests in \`npm test\`; without it there is nothing that a worker could load.
describe.runIf(existsSync(fileURLToPath(dist)))('two executors in two threads', () => {
  it('call one another through rings that are smaller than what they say', async () => {
    const capacity = 4;
    const rings = [0, 1].map(() => new SharedArrayBuffer(Ring.bytesFor(capacity)));
    const bells = new SharedArrayBuffer(Doorbell.bytesFor(2));
    const workers = [0, 1].map((role) => {
      const workerData = { rings, bells, role, calls: 500, capacity, dist: dist.href };
      return new Worker(ACTOR, { eval: true, workerData });
    });
    // The one that asks ends by itself; the one that answers would go on for ever.
    const outcome = await new Promise((resolve, reject) => {
      for (const worker of workers) worker.on('message', resolve).on('error', reject);
    });
    await Promise.all(workers.map((worker) => worker.terminate()));
    expect(outcome).toBe('done');
  });

  it('never use what the other takes for dropped, be it that one of them slept', async () => {
    const capacity = 256;
    const rings = [0, 1].map(() => new SharedArrayBuffer(Ring.bytesFor(capacity)));
    const bells = new SharedArrayBuffer(Doorbell.bytesFor(2));
    const dropped = new SharedArrayBuffer(8);
    const workers = [0, 1].map((role) => {
      const workerData = { rings, bells, dropped, role, rounds: 2000, capacity, dist: dist.href };
      return new Worker(DROPPER, { eval: true, workerData });
    });
    const outcome = await new Promise((resolve, reject) => {
      for (const worker of workers) worker.on('message', resolve).on('error', reject);
    });
    await Promise.all(workers.map((worker) => worker.terminate()));
    expect(outcome).toEqual({ rounds: 2000 });
    const [, looks] = new Int32Array(dropped);
    expect(looks).toBeGreaterThan(0);
  });
});
