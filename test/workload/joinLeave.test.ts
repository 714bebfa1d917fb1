/** Devices that leave a program and come back: what the load does, and how other work waits. */

import { describe, expect, it } from 'vitest';
import { assert } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { Completion } from '../../src/sim/completion.js';
import { Gate } from '../../src/sim/gate.js';
import type { Steps } from '../../src/sim/steps.js';
import { actorId } from '../../src/sim/task.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';
import { GhostBoard } from '../../src/workload/ghostBoard.js';
import { JoinLeave } from '../../src/workload/joinLeave.js';
import { untilPresent } from '../../src/workload/patience.js';
import type { WorkloadResult } from '../../src/workload/workload.js';
import { devicesLeave, type JoinLeaveConfig } from '../../src/workload/workloadConfig.js';

const config: JoinLeaveConfig = {
  kind: 'join-leave',
  name: 'load',
  stay: 1,
  atOnce: 2,
  operations: 60,
  pauseUs: 10,
};
const DEVICES = 4;

/** A program's view of devices of which it only knows who is there. */
class Devices {
  readonly sched = new VirtualExecutor(new RandomStrategy(1));
  readonly gate = new Gate(this.sched, 'pause');
  readonly present = new Set(Array.from({ length: DEVICES }, (_, i) => i));
  readonly changes: string[] = [];
  underWay = 0;
  mostUnderWay = 0;
  stopping = false;
  reply: (device: number, joins: boolean) => Errno = () => Errno.OK;

  *setMembership(device: number, joins: boolean): Steps<Errno> {
    assert(
      this.present.has(device) !== joins,
      () => `device ${device} is ${joins ? 'there already' : 'away already'}`,
    );
    this.changes.push(`${joins ? '+' : '-'}${device}`);
    this.underWay++;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    yield* this.sched.sleep(1000);
    this.underWay--;
    const errno = this.reply(device, joins);
    if (!joins) this.present.delete(device);
    else if (errno === Errno.OK) this.present.add(device);
    return errno;
  }

  run(change: Partial<JoinLeaveConfig> = {}): WorkloadResult {
    const board = new GhostBoard(new SharedArrayBuffer(GhostBoard.bytesFor([])), []);
    const world = { deviceCount: DEVICES, contextsPerDevice: 1, seed: 1, board };
    const load = new JoinLeave({ ...config, ...change }, 0, world);
    const results: WorkloadResult[] = [];
    const { sched, gate } = this;
    const machine = this;
    const host = {
      deviceCount: DEVICES,
      gate,
      get stopping() {
        return machine.stopping;
      },
      setMembership: (device: number, joins: boolean) => this.setMembership(device, joins),
      sleep: (ns: number) => sched.sleep(ns),
      now: () => sched.now(),
      noteLoad: () => {},
      parallel: (operations: readonly Steps<Errno>[]) => this.parallel(operations),
    };
    const body = function* (): Steps<void> {
      results.push(yield* load.run(host));
    };
    sched.spawn(actorId(0), 'load', body());
    sched.run();
    if (sched.failure !== null) throw sched.failure.cause;
    return results[0];
  }

  private *parallel(operations: readonly Steps<Errno>[]): Steps<readonly Errno[]> {
    const errnos: Errno[] = [];
    const ended = new Completion(this.sched, 'all');
    const one = function* (i: number): Steps<void> {
      errnos[i] = yield* operations[i];
      if (Object.keys(errnos).length === operations.length) ended.completeAll();
    };
    operations.forEach((_, i) => {
      this.sched.spawn(actorId(0), `part ${i}`, one(i));
    });
    yield* ended.wait();
    return errnos;
  }
}

describe('a load of joining and leaving', () => {
  it('takes devices out and puts them back, several at once, and leaves all of them there', () => {
    const devices = new Devices();
    const result = devices.run();
    expect(result).toMatchObject({ ok: true, workload: 'load' });
    expect(devices.present.size).toBe(DEVICES);
    expect(devices.mostUnderWay).toBe(2);
    expect(result.counts.joins).toBe(result.counts.leaves);
    expect(devices.changes.length).toBeGreaterThanOrEqual(60);
    expect(result.counts.fewest).toBeLessThan(DEVICES - 1);
  });

  it('spares the devices that stay', () => {
    const devices = new Devices();
    devices.run({ stay: 3, atOnce: 8 });
    expect(new Set(devices.changes)).toEqual(new Set(['-3', '+3']));
  });

  it('takes it that a device is out whose pages are in use', () => {
    const devices = new Devices();
    devices.reply = (_, joins) => (joins ? Errno.OK : Errno.EBUSY);
    const result = devices.run();
    expect(result.ok).toBe(true);
    expect(result.counts.busy).toBe(result.counts.leaves);
  });

  it('ends with any other error', () => {
    const devices = new Devices();
    devices.reply = (_, joins) => (joins ? Errno.OK : Errno.EIO);
    expect(devices.run()).toMatchObject({ ok: false, detail: expect.stringContaining('-EIO') });
    expect(devices.present.size).toBe(DEVICES);
  });

  it('counts no join that failed', () => {
    const devices = new Devices();
    devices.reply = (_, joins) => (joins ? Errno.ENOMEM : Errno.OK);
    expect(devices.run()).toMatchObject({ ok: false, counts: { joins: 0 } });
  });

  it('puts all devices back when the run ends', () => {
    const devices = new Devices();
    devices.reply = () => {
      devices.stopping = devices.changes.length > 10;
      return Errno.OK;
    };
    expect(devices.run({ operations: Number.POSITIVE_INFINITY }).ok).toBe(true);
    expect(devices.present.size).toBe(DEVICES);
  });

  it('tells the others that devices leave', () => {
    expect([devicesLeave([config]), devicesLeave([])]).toEqual([true, false]);
  });
});

describe('work on a device that is away', () => {
  function tries(answers: readonly Errno[], gate: Gate, sched: VirtualExecutor): Steps<Errno> {
    let i = 0;
    return untilPresent(
      gate,
      (ns) => sched.sleep(ns),
      function* () {
        return answers[i++];
      },
    );
  }

  it('waits, longer each time, and goes on with whatever comes then', () => {
    const { sched, gate } = new Devices();
    const seen: [Errno, number][] = [];
    gate.join();
    const body = function* (): Steps<void> {
      const errno = yield* tries([Errno.ENODEV, Errno.ENODEV, Errno.EFAULT], gate, sched);
      seen.push([errno, sched.now()]);
    };
    sched.spawn(actorId(0), 'work', body());
    sched.run();
    expect(seen).toEqual([[Errno.EFAULT, 300_000]]);
  });

  it('does not hold up a pause meanwhile', () => {
    const { sched, gate } = new Devices();
    const seen: string[] = [];
    gate.join();
    const body = function* (): Steps<void> {
      yield* tries([Errno.ENODEV, Errno.OK], gate, sched);
      seen.push('done');
    };
    sched.spawn(actorId(0), 'work', body());
    gate.close(() => seen.push('parked'));
    sched.run();
    expect(seen).toEqual(['parked']);
    gate.open();
    sched.run();
    expect(seen).toEqual(['parked', 'done']);
  });
});
