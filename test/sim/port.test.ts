/** Ports: what one actor says reaches the other, once, in order, however full the ring is. */

import { beforeEach, describe, expect, it } from 'vitest';
import type { Brand } from '../../src/base/brand.js';
import { defineMessage, field } from '../../src/sim/message.js';
import { Port } from '../../src/sim/port.js';
import { Ring } from '../../src/sim/ring.js';
import { PARK, type Steps } from '../../src/sim/steps.js';
import { actorId } from '../../src/sim/task.js';
import { Bench } from './harness.js';

type Apples = Brand<number, 'Apples'>;

const Test = {
  add: defineMessage('test.add', { a: field(), b: field() }, { sum: field() }),
  slow: defineMessage('test.slow', { ns: field() }, { at: field() }),
  note: defineMessage('test.note', { value: field<Apples>() }, {}),
  unknown: defineMessage('test.unknown', {}, {}),
  drop: defineMessage('test.dropOne', { value: field<Apples>() }, {}, { isDeferrable: true }),
} as const;

const apples = (count: number): Apples => count as Apples;

function newRing(capacity: number): Ring {
  return new Ring(new SharedArrayBuffer(Ring.bytesFor(capacity)), 0, capacity);
}

describe('two ports', () => {
  let bench: Bench;
  let client: Port;
  let server: Port;
  let notes: number[];

  function connect(capacity = 8, seed = 1): void {
    bench = new Bench(seed);
    const [up, down] = [newRing(capacity), newRing(capacity)];
    client = new Port(bench.sched, actorId(1), actorId(2), 'the server', up, down);
    server = new Port(bench.sched, actorId(2), actorId(1), 'the client', down, up);
    client.onSend = bench.sched.pump(server, 'client');
    server.onSend = bench.sched.pump(client, 'server');
    notes = [];
    server.answer(Test.add, ({ a, b }) => ({ sum: a + b }));
    server.answer(Test.note, ({ value }) => {
      notes.push(value);
      return {};
    });
    server.answer(Test.drop, ({ value }) => {
      notes.push(value);
      return {};
    });
    server.serve(Test.slow, function* ({ ns }) {
      yield* bench.sched.sleep(ns);
      return { at: bench.sched.now() };
    });
  }

  beforeEach(() => connect());

  it('carry a request and its answer, with numbers as large as an address', () => {
    const body = function* (): Steps<void> {
      const { sum } = yield* client.call(Test.add, { a: 2 ** 47, b: 0.5 });
      expect(sum).toBe(2 ** 47 + 0.5);
    };
    bench.run(body());
    expect(client.outstandingCalls).toBe(0);
  });

  it('answer in any order, each call its own', () => {
    const ask = function* (ns: number): Steps<void> {
      const { at } = yield* client.call(Test.slow, { ns });
      bench.say(`${ns} at ${at}`);
    };
    bench.run(ask(300), ask(100), ask(200));
    expect(bench.log).toEqual(['100 at 100', '200 at 200', '300 at 300']);
  });

  it('let one task have several calls open, to be finished in any order', () => {
    const body = function* (): Steps<void> {
      const calls = [100, 50, 10].map((ns) => client.start(Test.slow, { ns }));
      expect(client.outstandingCalls).toBe(3);
      for (const [i, call] of calls.entries()) {
        bench.say(`${i}: ${(yield* client.finish(Test.slow, call)).at}`);
      }
    };
    bench.run(body());
    expect(bench.log).toEqual(['0: 100', '1: 50', '2: 10']);
    expect([client.outstandingCalls, bench.sched.now()]).toEqual([0, 100]);
  });

  it('reuse the numbers of finished calls, not those of open ones', () => {
    const body = function* (): Steps<void> {
      const open = client.start(Test.slow, { ns: 100 });
      for (let i = 0; i < 50; i++) yield* client.call(Test.add, { a: i, b: 1 });
      expect((yield* client.finish(Test.slow, open)).at).toBe(100);
    };
    bench.run(body());
  });

  it('finish a call only as what it was', () => {
    const body = function* (): Steps<void> {
      const call = client.start(Test.slow, { ns: 1 });
      yield* client.finish(Test.add, call);
    };
    expect(() => bench.run(body())).toThrow('test.slow is finished as test.add');
  });

  it('carry notices in order, to which nobody answers', () => {
    const body = function* (): Steps<void> {
      for (let i = 0; i < 5; i++) client.post(Test.note, { value: apples(i) });
      yield* bench.steps(1);
    };
    bench.run(body());
    expect(notes).toEqual([0, 1, 2, 3, 4]);
    expect(server.hasBacklog || client.hasIncoming).toBe(false);
  });

  it.each([1, 2, 3])('hold back what does not fit in the ring, and keep the order (seed %i)', (seed) => {
    connect(2, seed);
    const body = function* (): Steps<void> {
      for (let i = 0; i < 100; i++) {
        client.post(Test.note, { value: apples(i) });
        // Now and then the server makes room before the client has sent what it holds back.
        if (i % 5 === 4) yield* bench.steps(1);
      }
      expect(client.hasBacklog).toBe(true);
      // Behind a hundred notices; its answer comes when they have arrived.
      expect((yield* client.call(Test.add, { a: 1, b: 2 })).sum).toBe(3);
      expect(notes).toEqual(Array.from({ length: 100 }, (_, i) => i));
    };
    bench.run(body());
    expect(client.hasBacklog).toBe(false);
  });

  it('get rid of a backlog even if the other side never says anything', () => {
    connect(2);
    const body = function* (): Steps<void> {
      for (let i = 0; i < 20; i++) client.post(Test.note, { value: apples(i) });
      yield* bench.steps(1);
    };
    bench.run(body());
    expect(notes).toHaveLength(20);
  });

  it('answer requests between notices in the order of sending', () => {
    const body = function* (): Steps<void> {
      client.post(Test.note, { value: apples(1) });
      const call = client.start(Test.add, { a: 1, b: 1 });
      client.post(Test.note, { value: apples(2) });
      yield* client.finish(Test.add, call);
      expect(notes[0]).toBe(1);
    };
    bench.run(body());
    expect(notes).toEqual([1, 2]);
  });

  describe('with a peer that sleeps', () => {
    it('do not wait for what it will do before all else, and keep the number until it has', () => {
      client.peerSleeps = () => true;
      const body = function* (): Steps<void> {
        const first = client.start(Test.drop, { value: apples(1) });
        expect(client.mustWait(first)).toBe(false);
        client.take(Test.drop, first);
        expect([notes, client.outstandingCalls]).toEqual([[], 1]);
        const second = client.start(Test.drop, { value: apples(2) });
        expect(second).not.toBe(first);
        yield* client.finish(Test.drop, second);
        expect(() => client.take(Test.drop, second)).toThrow('finished as test.dropOne');
        // What it answers it must be waited for with.
        expect((yield* client.call(Test.add, { a: 1, b: 2 })).sum).toBe(3);
        expect(notes).toEqual([1, 2]);
      };
      bench.run(body());
      expect([notes, client.outstandingCalls]).toEqual([[1, 2], 0]);
    });

    it('use the numbers again once the late answers have come', () => {
      client.peerSleeps = () => true;
      const numbers = new Set<number>();
      const body = function* (): Steps<void> {
        for (let i = 0; i < 50; i++) {
          const call = client.start(Test.drop, { value: apples(i) });
          numbers.add(call);
          yield* client.finish(Test.drop, call);
          yield* client.call(Test.add, { a: 1, b: 2 });
        }
      };
      bench.run(body());
      expect(numbers.size).toBeLessThanOrEqual(4);
      expect(notes).toHaveLength(50);
    });

    it('wait where the request is not in its mailbox yet', () => {
      connect(2);
      client.peerSleeps = () => true;
      const body = function* (): Steps<void> {
        for (let i = 0; i < 5; i++) client.post(Test.note, { value: apples(i) });
        const call = client.start(Test.drop, { value: apples(5) });
        expect(client.mustWait(call)).toBe(true);
        yield PARK;
        client.take(Test.drop, call);
        expect(notes).toEqual([0, 1, 2, 3, 4, 5]);
      };
      bench.run(body());
    });

    it('wait for one that is awake', () => {
      const body = function* (): Steps<void> {
        yield* client.finish(Test.drop, client.start(Test.drop, { value: apples(1) }));
        expect(notes).toEqual([1]);
      };
      bench.run(body());
    });

    it('tell which sends may not leave it asleep', () => {
      const told: boolean[] = [];
      client.onSend = (mustWake) => told.push(mustWake);
      const body = function* (): Steps<void> {
        client.post(Test.drop, { value: apples(1) });
        client.start(Test.drop, { value: apples(1) });
        client.post(Test.note, { value: apples(1) });
        client.start(Test.add, { a: 1, b: 1 });
        yield* bench.steps(1);
      };
      bench.run(body());
      expect(told).toEqual([false, false, true, true]);
    });
  });

  it('report a message that nobody handles, and a handler that is there already', () => {
    const body = function* (): Steps<void> {
      client.post(Test.unknown, {});
      yield* bench.steps(1);
    };
    expect(() => server.answer(Test.add, () => ({ sum: 0 }))).toThrow('test.add has two handlers');
    expect(() => bench.run(body())).toThrow('test.unknown from the client has no handler');
  });

  it('say what a task waits for', () => {
    const task = bench.spawn(
      'asker',
      (function* (): Steps<void> {
        yield* client.call(Test.slow, { ns: 100 });
      })(),
    );
    const body = function* (): Steps<void> {
      yield* bench.sched.sleep(50);
      expect(task.waitingFor?.describeWait(task)).toBe('a reply of the server to test.slow');
      expect(client.outstandingCalls).toBe(1);
    };
    bench.run(body());
  });

  it('pass on the failure of a handler as the failure of its task', () => {
    bench = new Bench();
    const [up, down] = [newRing(8), newRing(8)];
    client = new Port(bench.sched, actorId(1), actorId(2), 'the server', up, down);
    server = new Port(bench.sched, actorId(2), actorId(1), 'the client', down, up);
    client.onSend = bench.sched.pump(server, 'client');
    server.onSend = bench.sched.pump(client, 'server');
    server.serve(Test.slow, function* () {
      yield* bench.steps(1);
      throw new Error('the server is on fire');
    });
    const body = function* (): Steps<void> {
      yield* client.call(Test.slow, { ns: 1 });
    };
    expect(() => bench.run(body())).toThrow('the server is on fire');
  });
});
