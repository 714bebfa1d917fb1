/** Going through schedules in order, with fewer of them where several lead to the same: none of the ends may be lost. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecordingStrategy } from '../../src/explore/recordingStrategy.js';
import { DepthFirst } from '../../src/explore/strategies/depthFirst.js';
import { runnerOf } from '../../src/explore/target.js';
import { defineMessage, field } from '../../src/sim/message.js';
import { Port } from '../../src/sim/port.js';
import { Ring } from '../../src/sim/ring.js';
import { STEP, type Steps } from '../../src/sim/steps.js';
import type { Strategy } from '../../src/sim/strategy.js';
import { actorId } from '../../src/sim/task.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';
import { targetOf } from './shrink/foundAndShrunk.js';

const Ask = defineMessage('test.ask', { what: field() }, { answer: field() });
/** Larger programs are left out. */
const RUNS_MAX = 4000;

/** What the tasks of three actors do: those of the actors 1 and 2 ask the Coordinator or work alone, and the Coordinator tells them. */
interface Program {
  readonly peers: readonly (readonly ('ask' | 'own')[])[];
  readonly tells: readonly (1 | 2)[];
}

/** Of each actor, in which order things happened to it: all that a run leaves. */
function endOf(depthFirst: DepthFirst, { peers, tells }: Program): string | null {
  const recording = new RecordingStrategy(depthFirst, Number.POSITIVE_INFINITY);
  if (!recording.newExecution()) return null;
  // Pumps look for messages once before anybody sends one; in which order they do so is no choice here.
  let strategy: Strategy = new RandomStrategy(1);
  const sched = new VirtualExecutor({
    name: 'varied',
    newExecution: () => true,
    nextTask: (...args) => strategy.nextTask(...args),
    nextU32: () => strategy.nextU32(),
  });
  const logs: string[] = ['', '', ''];
  const newRing = (): Ring => new Ring(new SharedArrayBuffer(Ring.bytesFor(4)), 0, 4);
  const programs: (() => unknown)[] = [];
  const hosts = peers.map((ops, i) => {
    const [up, down] = [newRing(), newRing()];
    const peer = new Port(sched, actorId(i + 1), actorId(0), 'the coordinator', up, down);
    const host = new Port(sched, actorId(0), actorId(i + 1), `peer ${i}`, down, up);
    host.onSend = sched.pump(peer, `the coordinator to peer ${i}`);
    peer.onSend = sched.pump(host, `peer ${i} to the coordinator`);
    peer.answer(Ask, ({ what }) => {
      logs[i + 1] += 't';
      return { answer: what };
    });
    host.serve(Ask, function* ({ what }) {
      logs[0] += i;
      yield STEP;
      logs[0] += i;
      return { answer: what };
    });
    const body = function* (): Steps<void> {
      for (const op of ops) {
        if (op === 'ask') yield* peer.call(Ask, { what: 1 });
        else yield STEP;
        logs[i + 1] += op;
      }
    };
    if (ops.length > 0) programs.push(() => sched.spawn(actorId(i + 1), `program ${i}`, body()));
    return host;
  });
  const telling = function* (): Steps<void> {
    for (const to of tells) {
      yield* hosts[to - 1].call(Ask, { what: to });
      logs[0] += 't';
    }
  };
  sched.run();
  strategy = recording;
  for (const start of programs) start();
  if (tells.length > 0) sched.spawn(actorId(0), 'telling', telling());
  sched.run();
  return logs.join(' ');
}

/** The ends of all schedules within the bound, and how many schedules there were. */
function exhaust(
  program: Program,
  bound: number,
  isReduced: boolean,
): { readonly runs: number; readonly ends: string[]; readonly isComplete: boolean } {
  const strategy = new DepthFirst(bound, isReduced);
  const ends = new Set<string>();
  for (let runs = 0; runs < RUNS_MAX; runs++) {
    const end = endOf(strategy, program);
    if (end === null) return { runs, ends: [...ends].sort(), isComplete: strategy.isComplete };
    ends.add(end);
  }
  return { runs: RUNS_MAX, ends: [...ends].sort(), isComplete: false };
}

const operations = fc.array(fc.constantFrom('ask', 'own'), { maxLength: 2 });
const programs = fc.record({
  peers: fc.tuple(operations, operations),
  tells: fc.array(fc.constantFrom(1, 2), { maxLength: 2 }),
});

describe('depth first', () => {
  it('comes to the same ends with fewer schedules, whatever the bound is', () => {
    let compared = 0;
    fc.assert(
      fc.property(programs, fc.nat(3), (program, bound) => {
        const full = exhaust(program, bound, false);
        if (!full.isComplete) return;
        const reduced = exhaust(program, bound, true);
        expect(reduced.isComplete).toBe(true);
        expect(reduced.ends).toEqual(full.ends);
        expect(reduced.runs).toBeLessThanOrEqual(full.runs);
        compared++;
      }),
      { seed: 1, numRuns: 60 },
    );
    expect(compared).toBeGreaterThan(30);
  });

  it('does not say that it has run all where somebody else chose a part of them', () => {
    const program: Program = { peers: [['ask'], ['ask']], tells: [] };
    const strategy = new DepthFirst(1);
    for (let runs = 0; runs < RUNS_MAX; runs++) {
      if (endOf(strategy, program) === null) break;
      if (runs === 0) strategy.overruled();
    }
    expect(strategy.isComplete).toBe(false);
    expect(exhaust(program, 1, true).isComplete).toBe(true);
  });

  it('leaves out schedules in which only pumps change places', () => {
    const program: Program = { peers: [['ask'], ['ask']], tells: [] };
    const [full, reduced] = [exhaust(program, 1, false), exhaust(program, 1, true)];
    expect(full.isComplete && reduced.isComplete).toBe(true);
    expect(full.ends.length).toBeGreaterThan(1);
    expect(reduced.ends).toEqual(full.ends);
    expect(reduced.runs).toBeLessThan(0.8 * full.runs);
  });

  it.each(['B23', 'B75', 'B80'])('finds in the program of %s what it finds without leaving out any', (id) => {
    const verdicts = (isReduced: boolean): (string | undefined)[] => {
      const runner = runnerOf(targetOf(id));
      const strategy = new DepthFirst(2, isReduced);
      const found: (string | undefined)[] = [];
      for (let run = 0; run < RUNS_MAX; run++) {
        const outcome = runner.run(strategy);
        if (outcome === null) break;
        found.push(outcome.verdict?.message);
      }
      expect(strategy.isComplete).toBe(true);
      return [...new Set(found)].sort();
    };
    const all = verdicts(false);
    expect(all.some((verdict) => verdict !== undefined)).toBe(true);
    expect(verdicts(true)).toEqual(all);
  });
});
