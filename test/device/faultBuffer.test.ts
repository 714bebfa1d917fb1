/** The fault buffer: each context gets the host's answer, the host is asked once per page and kind of access, and never too much at once. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { type Vpn, vpn } from '../../src/base/units.js';
import { FaultBuffer, type FaultBufferConfig } from '../../src/device/faultBuffer.js';
import type { FaultSink } from '../../src/device/faultSink.js';
import { FaultKind } from '../../src/memory/faultKind.js';
import type { Steps } from '../../src/sim/steps.js';
import type { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';
import { ACTOR, executor, StepLog, settle, TestSink } from './harness.js';

const DEFAULTS: FaultBufferConfig = { device: 0, entries: 8, batchMax: 4, outstandingMax: 8, batchNs: 0 };

/** A host that is asked about several pages at a time, and notes it. */
class Host extends TestSink {
  readonly asked: string[] = [];
  readonly working = new Set<string>();
  mostWorking = 0;
  servedTwice = false;

  constructor(
    sched: VirtualExecutor,
    answer: (page: Vpn, write: boolean) => Errno = () => Errno.OK,
    ns = 100,
  ) {
    const self: { host?: Host } = {};
    super(function* (page, write): Steps<Errno> {
      const host = self.host;
      if (host === undefined) throw new Error('asked too early');
      const key = `${page}${write ? 'w' : 'r'}`;
      host.asked.push(key);
      host.servedTwice ||= host.working.has(key);
      host.working.add(key);
      host.mostWorking = Math.max(host.mostWorking, host.working.size);
      yield* sched.sleep(ns + (sched.randomU32() % 50));
      host.working.delete(key);
      return answer(page, write);
    });
    self.host = this;
  }
}

/** Several contexts that each raise faults one after another; what each was answered. */
function raiseAll(
  sched: VirtualExecutor,
  buffer: FaultBuffer,
  contexts: readonly (readonly (readonly [number, boolean])[])[],
): Errno[][] {
  const answers: Errno[][] = contexts.map(() => []);
  function* run(index: number): Steps<void> {
    for (const [page, write] of contexts[index]) answers[index].push(yield* buffer.raise(vpn(page), write));
  }
  contexts.forEach((_, index) => {
    sched.spawn(ACTOR, `context ${index}`, run(index));
  });
  settle(sched);
  return answers;
}

describe('FaultBuffer', () => {
  it('answers every fault with what the host said, within all its limits, whatever the order of steps', () => {
    const fault = fc.tuple(fc.nat(5), fc.boolean());
    const contexts = fc.array(fc.array(fault, { maxLength: 6 }), {
      minLength: 1,
      maxLength: 10,
      size: 'max',
    });
    const limits = fc.record({
      entries: fc.integer({ min: 1, max: 6 }),
      batchMax: fc.integer({ min: 1, max: 5 }),
      outstandingMax: fc.integer({ min: 1, max: 5 }),
    });
    const seen = { coalesced: 0, overflows: 0 };
    fc.assert(
      fc.property(contexts, limits, fc.nat(), (faults, limit, seed) => {
        const sched = executor(seed);
        const answer = (page: number, write: boolean) => (page === 3 && write ? Errno.EACCES : Errno.OK);
        const host = new Host(sched, answer);
        const buffer = new FaultBuffer({ ...DEFAULTS, ...limit }, sched, ACTOR, host);
        const log = new StepLog('device.faultBatch');
        sched.observer = log;
        const answers = raiseAll(sched, buffer, faults);
        expect(answers).toEqual(faults.map((list) => list.map(([page, write]) => answer(page, write))));
        expect(host.servedTwice).toBe(false);
        expect(host.mostWorking).toBeLessThanOrEqual(Math.min(limit.outstandingMax, limit.entries));
        const batches = log.lines.map((line) => Number(line.split(' ')[2]));
        expect(Math.max(0, ...batches)).toBeLessThanOrEqual(limit.batchMax);
        const { counters } = buffer;
        expect(counters.raised).toBe(faults.flat().length);
        expect(counters.raised - counters.coalesced).toBe(counters.served);
        expect(counters.served).toBe(host.asked.length);
        expect(batches.reduce((sum, count) => sum + count, 0)).toBe(counters.served);
        expect(counters.batches).toBe(batches.length);
        expect(counters.failed).toBe(host.asked.filter((key) => key === '3w').length);
        expect(buffer.used).toBe(0);
        seen.coalesced += counters.coalesced;
        seen.overflows += counters.overflows;
      }),
      { numRuns: 150, seed: 20250101 },
    );
    expect(seen.coalesced).toBeGreaterThan(50);
    expect(seen.overflows).toBeGreaterThan(50);
  });

  it('asks apart for each kind of access to a page, and each gets the answer to its own', () => {
    const sched = executor();
    const asked: FaultKind[] = [];
    const sink: FaultSink = {
      *serve(_page, _write, kind) {
        asked.push(kind);
        yield* sched.sleep(100);
        return kind === FaultKind.Atomic ? Errno.EACCES : Errno.OK;
      },
    };
    const buffer = new FaultBuffer(DEFAULTS, sched, ACTOR, sink);
    const { Demand, Prefetch, Atomic } = FaultKind;
    const answers = new Map<string, Errno>();
    function* raise(write: boolean, kind: FaultKind): Steps<void> {
      answers.set(`${write} ${kind}`, yield* buffer.raise(vpn(7), write, kind));
    }
    const faults: [boolean, FaultKind][] = [
      [true, Atomic],
      [true, Demand],
      [false, Prefetch],
      [false, Demand],
    ];
    for (const [write, kind] of faults) sched.spawn(ACTOR, `fault ${write} ${kind}`, raise(write, kind));
    settle(sched);
    expect([asked.length, buffer.counters.coalesced]).toEqual([4, 0]);
    expect(faults.map(([write, kind]) => answers.get(`${write} ${kind}`))).toEqual([
      Errno.EACCES,
      Errno.OK,
      Errno.OK,
      Errno.OK,
    ]);
  });

  it('asks once for the same page and access, but apart for loads and stores and for a fault after the answer', () => {
    const sched = executor();
    const host = new Host(sched);
    const buffer = new FaultBuffer(DEFAULTS, sched, ACTOR, host);
    raiseAll(sched, buffer, [[[7, false]], [[7, false]], [[7, true]], [[7, false]]]);
    expect([...host.asked].sort()).toEqual(['7r', '7w']);
    expect(buffer.counters).toMatchObject({ raised: 4, coalesced: 2, served: 2 });
    raiseAll(sched, buffer, [[[7, false]]]);
    expect(buffer.counters).toMatchObject({ raised: 5, coalesced: 2, served: 3 });
  });

  it('gives an error to every context that waits for the fault', () => {
    const sched = executor();
    const buffer = new FaultBuffer(DEFAULTS, sched, ACTOR, new Host(sched, () => Errno.EFAULT));
    const same = [[1, true]] as const;
    expect(raiseAll(sched, buffer, [same, same, same])).toEqual([
      [Errno.EFAULT],
      [Errno.EFAULT],
      [Errno.EFAULT],
    ]);
    expect(buffer.counters).toMatchObject({ served: 1, failed: 1 });
  });

  it('delivers in batches what has come while the interrupt was under way, in order of arrival', () => {
    const sched = executor();
    const host = new Host(sched, () => Errno.OK, 10_000);
    const buffer = new FaultBuffer({ ...DEFAULTS, batchMax: 3, batchNs: 1000 }, sched, ACTOR, host);
    const log = new StepLog('device.faultBatch');
    sched.observer = log;
    function* late(page: number): Steps<void> {
      yield* sched.sleep(page);
      yield* buffer.raise(vpn(page), true);
    }
    for (const page of [4, 1, 3, 5, 2]) sched.spawn(ACTOR, `page ${page}`, late(page));
    settle(sched);
    expect(log.lines).toEqual([' 0 3', ' 0 2']);
    expect(host.asked.slice(0, 3).sort()).toEqual(['1w', '2w', '3w']);
  });

  it('lets whoever finds room in, also when others that were woken for it need none', () => {
    const sched = executor();
    const serviceNs = [0, 100, 200, 10_000, 100];
    const host = new TestSink(function* (page) {
      yield* sched.sleep(serviceNs[page]);
      return Errno.OK;
    });
    const buffer = new FaultBuffer({ ...DEFAULTS, entries: 2 }, sched, ACTOR, host);
    const answeredAtNs = new Map<string, number>();
    function* fault(name: string, startNs: number, page: number): Steps<void> {
      yield* sched.sleep(startNs);
      yield* buffer.raise(vpn(page), false);
      answeredAtNs.set(name, sched.now());
    }
    const faults = [
      ['a', 0, 1],
      ['b', 0, 2],
      ['slow', 10, 3],
      ['slow too', 20, 3],
      ['quick', 30, 4],
    ] as const;
    for (const [name, startNs, page] of faults) sched.spawn(ACTOR, name, fault(name, startNs, page));
    settle(sched);
    expect(answeredAtNs.get('quick')).toBeLessThan(1000);
  });

  it('takes the modelled time of a batch, and of each fault that it has', () => {
    const sched = executor();
    const host = new Host(sched, () => Errno.OK, 10_000);
    const config = { ...DEFAULTS, batchMax: 3, batchNs: 1000, entryNs: 10 };
    const buffer = new FaultBuffer(config, sched, ACTOR, host);
    const deliveredAtNs: number[] = [];
    const log = new StepLog('device.faultBatch');
    sched.observer = {
      onStep(...step) {
        const before = log.lines.length;
        log.onStep(...step);
        if (log.lines.length > before) deliveredAtNs.push(sched.now());
      },
    };
    raiseAll(sched, buffer, [[[1, true]], [[2, true]], [[3, true]], [[4, true]], [[5, true]]]);
    expect(deliveredAtNs).toEqual([1030, 2050]);
  });

  it('reads no entry for nothing: who comes meanwhile waits for the next batch', () => {
    const sched = executor();
    const host = new Host(sched, () => Errno.OK, 10_000);
    const buffer = new FaultBuffer({ ...DEFAULTS, batchNs: 1000, entryNs: 10 }, sched, ACTOR, host);
    const batches: string[] = [];
    const log = new StepLog('device.faultBatch');
    sched.observer = {
      onStep(...step) {
        const seen = log.lines.length;
        log.onStep(...step);
        if (log.lines.length > seen) batches.push(`${log.lines[seen].split(' ')[2]} at ${sched.now()}`);
      },
    };
    const late = function* (): Steps<void> {
      yield* sched.sleep(1005);
      yield* buffer.raise(vpn(2), true);
    };
    sched.spawn(ACTOR, 'late', late());
    raiseAll(sched, buffer, [[[1, true]]]);
    expect(batches).toEqual(['1 at 1010', '1 at 2020']);
  });

  it('names its steps, with the latency of the fault', () => {
    const sched = executor();
    const buffer = new FaultBuffer(
      { ...DEFAULTS, batchNs: 50 },
      sched,
      ACTOR,
      new TestSink(function* () {
        yield* sched.sleep(700);
        return Errno.OK;
      }),
    );
    const log = new StepLog('device.fault');
    sched.observer = log;
    raiseAll(sched, buffer, [[[9, true]]]);
    expect(log.lines).toEqual(['Raised 0 9 1 1', 'Batch 0 1', 'Delivered 0 9 1', 'Served 0 9 0 750']);
  });

  it('says in a deadlock who works on the fault', () => {
    const sched = executor();
    const never = new TestSink(function* (): Steps<Errno> {
      yield* sched.park({ describeWait: () => 'the host', holders: () => [] });
      return Errno.OK;
    });
    const buffer = new FaultBuffer(DEFAULTS, sched, ACTOR, never);
    expect(() => raiseAll(sched, buffer, [[[1, false]]])).toThrow(
      /context 0 waits for an answer to a fault of gpu0/,
    );
    const context = sched.stuckTasks().find((task) => task.name === 'context 0');
    expect(context?.waitingFor?.holders().map((task) => task.name)).toEqual(['gpu0.fault']);
  });

  it('says that nobody works on a fault that was not delivered, whoever had its entry before', () => {
    const sched = executor();
    const buffer = new FaultBuffer({ ...DEFAULTS, entries: 1, batchNs: 1000 }, sched, ACTOR, new Host(sched));
    raiseAll(sched, buffer, [[[1, false]]]);
    const holders: string[][] = [];
    function* look(): Steps<void> {
      yield* sched.sleep(500);
      for (const task of sched.tasks)
        if (task.name === 'context 0') holders.push(task.waitingFor?.holders().map(({ name }) => name) ?? []);
    }
    sched.spawn(ACTOR, 'look', look());
    raiseAll(sched, buffer, [[[2, false]]]);
    expect(holders).toEqual([[]]);
  });
});
