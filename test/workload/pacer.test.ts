/** Pacing: operations at their rate, none made up for, and an end when the run ends. */

import { describe, expect, it } from 'vitest';
import { Gate } from '../../src/sim/gate.js';
import type { Steps } from '../../src/sim/steps.js';
import { actorId } from '../../src/sim/task.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';
import { Pacer } from '../../src/workload/pacer.js';

/** When each of `operations` begins, in milliseconds; operation i takes `takes(i)`, and all ends at `endMs`. */
function begins(rate: number, operations: number, takes: (i: number) => number, endMs = Infinity): number[] {
  const sched = new VirtualExecutor(new RandomStrategy(1));
  const gate = new Gate(sched, 'pause');
  const host = {
    gate,
    get stopping() {
      return sched.now() >= endMs * 1e6;
    },
    sleep: (ns: number) => sched.sleep(ns),
    now: () => sched.now(),
  };
  const times: number[] = [];
  function* run(): Steps<void> {
    const pacer = new Pacer(rate);
    for (let i = 0; i < operations; i++) {
      yield* pacer.next(host);
      if (host.stopping) return;
      times.push(sched.now() / 1e6);
      yield* sched.spend(takes(i) * 1e6);
    }
  }
  sched.spawn(actorId(0), 'load', run());
  sched.run();
  return times;
}

describe('a pacer', () => {
  it('lets operations begin at their rate, however long each takes within it', () => {
    expect(begins(100, 4, () => 0)).toEqual([0, 10, 20, 30]);
    expect(begins(100, 4, (i) => 3 * i)).toEqual([0, 10, 20, 30]);
  });

  it('does not make up for what came late', () => {
    expect(begins(100, 4, (i) => (i === 0 ? 45 : 0))).toEqual([0, 45, 55, 65]);
  });

  it('without a rate lets one follow the other', () => {
    expect(begins(Infinity, 3, () => 2)).toEqual([0, 2, 4]);
  });

  it('waits no longer than the run lasts', () => {
    expect(begins(1, 5, () => 0, 1500)).toEqual([0, 1000]);
  });
});
