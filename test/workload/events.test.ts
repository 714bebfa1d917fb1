/** What a scenario plans for certain moments: in time, in order, and what becomes of refusals. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { Gate } from '../../src/sim/gate.js';
import type { Steps } from '../../src/sim/steps.js';
import { actorId } from '../../src/sim/task.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';
import { Events } from '../../src/workload/events.js';
import type { WorkloadResult } from '../../src/workload/workload.js';
import type { PlannedEvent } from '../../src/workload/workloadConfig.js';

const MS = 1_000_000;
const prefetch: PlannedEvent = { kind: 'prefetch', atNs: 3 * MS, start: vpn(16), npages: 8, target: 1 };
const unbind: PlannedEvent = { kind: 'unbind', atNs: 5 * MS, device: 1 };

/** Runs them on a host that notes what is asked of it, and when. */
class Host {
  readonly sched = new VirtualExecutor(new RandomStrategy(1));
  readonly gate = new Gate(this.sched, 'pause');
  readonly asked: string[] = [];
  stopAtNs = Number.POSITIVE_INFINITY;
  reply: Errno = Errno.OK;

  get stopping(): boolean {
    return this.sched.now() >= this.stopAtNs;
  }

  now(): number {
    return this.sched.now();
  }

  sleep(ns: number): Steps<void> {
    return this.sched.sleep(ns);
  }

  prefetch(start: number, npages: number, target: number): Steps<Errno> {
    return this.note(`prefetch ${start} ${npages} to ${target}`);
  }

  unbind(device: number): Steps<Errno> {
    return this.note(`unbind ${device}`);
  }

  *note(what: string): Steps<Errno> {
    this.asked.push(`${this.now() / MS}ms ${what}`);
    yield* this.sched.sleep(MS);
    return this.reply;
  }

  run(events: readonly PlannedEvent[]): WorkloadResult {
    const program = new Events({ kind: 'events', name: 'events', events });
    const results: WorkloadResult[] = [];
    const host = this;
    const body = function* (): Steps<void> {
      results.push(yield* program.run(host));
    };
    this.sched.spawn(actorId(0), 'events', body());
    this.sched.run();
    if (this.sched.failure !== null) throw this.sched.failure.cause;
    return results[0];
  }
}

describe('the events of a scenario', () => {
  it('come when they are planned, or as soon as those before them have ended', () => {
    const host = new Host();
    const result = host.run([prefetch, { ...prefetch, target: -1 }, unbind]);
    expect(host.asked).toEqual(['3ms prefetch 16 8 to 1', '4ms prefetch 16 8 to -1', '5ms unbind 1']);
    expect(result).toEqual({
      workload: 'events',
      ok: true,
      detail: '3 of 3 events',
      counts: { prefetches: 2, unbinds: 1, refused: 0 },
    });
  });

  it('are left out when the run ends before', () => {
    const host = new Host();
    host.stopAtNs = 4.5 * MS;
    expect(host.run([prefetch, unbind])).toMatchObject({ ok: true, detail: '1 of 2 events' });
    expect(host.asked).toEqual(['3ms prefetch 16 8 to 1']);
  });

  it('fail with an unbind that does not come to its end, but not with a prefetch that is refused', () => {
    const host = new Host();
    host.reply = Errno.EBUSY;
    expect(host.run([prefetch, unbind])).toEqual({
      workload: 'events',
      ok: false,
      detail: '2 of 2 events; the unbind of gpu1 gives -EBUSY',
      counts: { prefetches: 1, unbinds: 1, refused: 1 },
    });
  });
});
