/** The recorder reads the clock once for what happens at once, never takes an old reading for a new one, and what is recorded is counted as without it. */

import { beforeEach, describe, expect, it } from 'vitest';
import { ActorObserver, ObserverBuffers } from '../../../src/observe/actorObserver.js';
import { TraceCollector } from '../../../src/observe/trace/traceCollector.js';
import { TracedObserver } from '../../../src/observe/trace/tracedObserver.js';
import { readTrace, type TraceEvent } from '../../../src/observe/trace/traceReader.js';
import { TraceRecorder } from '../../../src/observe/trace/traceRecorder.js';
import { TraceRing } from '../../../src/observe/trace/traceRing.js';
import { type StepId, type Steps, stepByName } from '../../../src/sim/steps.js';
import { actorId, Task } from '../../../src/sim/task.js';

/** Goes on by one with each reading. */
class CountingClock {
  readNs = 100;
  readings = 0;
  slice = 0;
  now(): number {
    this.readings++;
    this.readNs++;
    return this.readNs;
  }
}

function* noSteps(): Steps<void> {}

function step(name: string): StepId {
  const found = stepByName(name);
  if (found === undefined) throw new Error(`no step ${name}`);
  return found.id;
}

const began = step('notifier.invStart');
/** Its last argument is a time. */
const ended = step('notifier.invStarted');
const untraced = step('notifier.callback');

let clock: CountingClock;
let buffers: ObserverBuffers;
let observer: TracedObserver;
let collector: TraceCollector;

beforeEach(() => {
  clock = new CountingClock();
  const rings = new SharedArrayBuffer(TraceRing.bytesFor(1));
  collector = new TraceCollector(rings);
  buffers = ObserverBuffers.allocate(2);
  const recorder = new TraceRecorder(new TraceRing(rings, 0), clock, 0, 0);
  observer = new TracedObserver(new ActorObserver(buffers, 0, clock), recorder);
});

function recorded(): { name: string; timeNs: number; args: number[] }[] {
  const trace = collector.finish({
    scenario: 's',
    executor: 'threads',
    seed: 1,
    actors: ['coordinator'],
    devices: 0,
  });
  const events: { name: string; timeNs: number; args: number[] }[] = [];
  readTrace(trace, {
    onStep: ({ timeNs, args, head }, number) =>
      events.push({ name: trace.steps[number].name, timeNs, args: [...args.subarray(0, head.args)] }),
    onBlocked: () => {},
    onWoken: () => {},
    onSpawned: () => {},
  });
  return events;
}

describe('a traced step', () => {
  it('is recorded with its time and its arguments', () => {
    observer.onStep(null, began, 7, 1, 2, 3);
    observer.onStep(null, began, 8, 4, 5, 6);
    expect(recorded()).toEqual([
      { name: 'notifier.invStart', timeNs: 0, args: [7, 1, 2, 3] },
      { name: 'notifier.invStart', timeNs: 1, args: [8, 4, 5, 6] },
    ]);
  });

  it('that says how long something took has the time that was read for that', () => {
    observer.onStep(null, began, 7, 1, 2, 3);
    const tookNs = clock.now() - 101;
    observer.onStep(null, ended, 7, 1, 2, tookNs);
    expect(clock.readings).toBe(2);
    expect(recorded()[1].timeNs).toBe(1);
  });

  it('reads the clock where nobody has read it since the event before', () => {
    observer.onStep(null, began, 7, 1, 2, 3);
    observer.onStep(null, ended, 7, 1, 2, 0);
    expect(clock.readings).toBe(2);
    expect(recorded()[1].timeNs).toBe(1);
  });

  it('needs one reading to be counted and recorded', () => {
    observer.onStep(null, began, 7, 1, 2, 3);
    expect(clock.readings).toBe(1);
  });
});

it('counts steps as an observer does alone, whether they are recorded or not', () => {
  const alone = new ActorObserver(buffers, 1, new CountingClock());
  for (const id of [began, untraced, ended, untraced]) {
    observer.onStep(null, id, 7, 1, 2, 40);
    alone.onStep(null, id, 7, 1, 2, 40);
  }
  const [both, single] = [buffers.section(0), buffers.section(1)];
  expect([...both.steps]).toEqual([...single.steps]);
  expect([...both.cells]).toEqual([...single.cells]);
  expect(both.recorder.last(9).map(({ step: number, args }) => ({ number, args }))).toEqual(
    single.recorder.last(9).map(({ step: number, args }) => ({ number, args })),
  );
});

it('a wait has the time of a request right before it, which it is for, but not that of a notice', () => {
  const rings = new SharedArrayBuffer(TraceRing.bytesFor(1));
  const recorder = new TraceRecorder(new TraceRing(rings, 0), clock, 0, 0);
  const task = new Task(1, actorId(0), 'task', noSteps(), false);
  const reason = { describeWait: () => 'a reply', holders: () => [] };
  for (const call of [7, 0]) {
    recorder.onStep(task, step('sim.send'), 1, 1, call, 0);
    recorder.onBlock(task, reason);
  }
  const head = { scenario: 's', executor: 'threads', seed: 1, actors: ['coordinator'], devices: 0 } as const;
  const times: number[] = [];
  const note = ({ timeNs }: TraceEvent): number => times.push(timeNs);
  const visitor = { onStep: note, onBlocked: note, onWoken: note, onSpawned: note };
  readTrace(new TraceCollector(rings).finish(head), visitor);
  const [request, waitForReply, notice, wait] = times;
  expect(waitForReply).toBe(request);
  expect(wait).toBeGreaterThan(notice);
});

it('a wait for the lock of a folio is one for a lock, and one for its end is not', () => {
  const rings = new SharedArrayBuffer(TraceRing.bytesFor(1));
  const recorder = new TraceRecorder(new TraceRing(rings, 0), clock, 0, 0);
  const task = new Task(1, actorId(0), 'task', noSteps(), false);
  recorder.onBlock(task, { describeWait: () => 'a lock', holders: () => [], isLock: true });
  recorder.onBlock(task, { describeWait: () => 'the end', holders: () => [] });
  const head = { scenario: 's', executor: 'threads', seed: 1, actors: ['coordinator'], devices: 0 } as const;
  const locks: boolean[] = [];
  const nothing = (): void => {};
  readTrace(new TraceCollector(rings).finish(head), {
    onStep: nothing,
    onBlocked: (_event, _task, { isLock }) => locks.push(isLock),
    onWoken: nothing,
    onSpawned: nothing,
  });
  expect(locks).toEqual([true, false]);
});

it('the events of several threads are told in order of time, from the first of them on', () => {
  const rings = new SharedArrayBuffer(TraceRing.bytesFor(2));
  for (const [index, offsetNs] of [
    [0, 1000],
    [1, 995],
  ]) {
    const own = new CountingClock();
    const recorder = new TraceRecorder(new TraceRing(rings, index), own, offsetNs, index);
    for (let i = 0; i < 3; i++) {
      own.readNs += 9;
      recorder.onStep(null, began, index, 0, 0, 0);
    }
  }
  const actors = ['coordinator', 'gpu0'];
  const trace = new TraceCollector(rings).finish({
    scenario: 's',
    executor: 'threads',
    seed: 1,
    actors,
    devices: 1,
  });
  const told: (readonly [actor: number, timeNs: number])[] = [];
  readTrace(trace, {
    onStep: ({ timeNs, args }) => told.push([args[0], timeNs]),
    onBlocked: () => {},
    onWoken: () => {},
    onSpawned: () => {},
  });
  expect(told).toEqual([
    [1, 0],
    [0, 5],
    [1, 10],
    [0, 15],
    [1, 20],
    [0, 25],
  ]);
});

it('a trace that has become too large ends with what its rings hold, and tells of all that is missing', () => {
  const rings = new SharedArrayBuffer(TraceRing.bytesFor(1));
  const wordsMax = 100;
  const small = new TraceCollector(rings, wordsMax);
  const recorder = new TraceRecorder(new TraceRing(rings, 0), clock, 0, 0, () => small.drain());
  const asked = 400_000;
  for (let i = 0; i < asked; i++) recorder.onStep(null, began, i, 0, 0, 0);
  const trace = small.finish({
    scenario: 's',
    executor: 'virtual',
    seed: 1,
    actors: ['coordinator'],
    devices: 0,
  });
  const kept: number[] = [];
  readTrace(trace, {
    onStep: ({ args }) => kept.push(args[0]),
    onBlocked: () => {},
    onWoken: () => {},
    onSpawned: () => {},
  });
  expect(trace.dropped).toBeGreaterThan(0);
  expect(trace.events + trace.dropped).toBe(asked);
  expect(kept).toEqual(Array.from({ length: trace.events }, (_, i) => i));
});
