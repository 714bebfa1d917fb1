/** Measures what everything is made of: steps of tasks, messages between actors, and locks handed from task to task, under both executors. */

import { setImmediate } from 'node:timers/promises';
import { assert } from '../../base/assert.js';
import { SteadyState, type WarmedUp, type WarmUp } from '../../base/steadyState.js';
import { LockClass } from '../../sim/lockOrder.js';
import { defineMessage, field } from '../../sim/message.js';
import { Mutex } from '../../sim/mutex.js';
import { Port } from '../../sim/port.js';
import { Ring } from '../../sim/ring.js';
import type { Scheduler } from '../../sim/scheduler.js';
import { PARK, STEP, type Steps } from '../../sim/steps.js';
import { actorId } from '../../sim/task.js';
import { Doorbell } from '../../sim/threads/doorbell.js';
import { ThreadExecutor } from '../../sim/threads/threadExecutor.js';
import { RandomStrategy } from '../../sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../sim/virtual/virtualExecutor.js';
import type { EngineBenchConfig } from '../../workload/workloadConfig.js';
import { makeSimulation } from '../makeSimulation.js';
import type { ExecutorName, SimulationConfig } from '../simulationConfig.js';
import { countsOf, samplesOf, warmedUpOf } from './benchCounts.js';
import { type BenchControl, type BenchStatus, measureEach } from './benchRun.js';

export const engineParts = ['steps', 'handoffs', 'messages', 'round-trips'] as const;
/**
 * `steps`: a task goes on after a yield; `handoffs`: a lock goes to the task that waited longest; `messages`: requests and replies, many under way;
 * `round-trips`: one request after another, each waiting for its reply.
 */
export type EnginePart = (typeof engineParts)[number];

export interface EngineCell extends WarmedUp {
  readonly executor: ExecutorName;
  readonly part: EnginePart;
  readonly status: BenchStatus;
  readonly reason: string;
  /** Of one sample. */
  readonly count: number;
  /** Nanoseconds of this machine, sample by sample. */
  readonly times: readonly number[];
}

export interface EngineOptions {
  readonly executors: readonly ExecutorName[];
  readonly samples: number;
}

const TASKS = 16;
/** Of a sample, of all tasks together. */
const STEPS = 400_000;
const HANDOFFS = 100_000;
const MESSAGES = 51_200;
const ROUND_TRIPS = 5000;
/** Of messages between workers, which are dearer. */
const WORKER_MESSAGES = 20_000;
const WORKER_ROUND_TRIPS = 1000;
const RING_MESSAGES = 1024;
const WARM_UP: WarmUp = { roundsMin: 6, roundsMax: 30 };
const STEADY_WINDOW = 6;
const WORKER_WARM_UP: WarmUp = { roundsMin: 20, blockNs: 50e6, nsMin: 1e9, nsMax: 4e9 };

const benchLock = new LockClass('bench');
const Echo = defineMessage('bench.echo', { value: field() }, { value: field() });

export function runBenchEngine(
  config: SimulationConfig,
  options: EngineOptions & BenchControl<EngineCell>,
): Promise<EngineCell[]> {
  const variants = options.executors.flatMap((executor) => engineParts.map((part) => ({ executor, part })));
  return measureEach(variants, options, async ({ executor, part }) => {
    await setImmediate();
    return measureCell(config, executor, part, { samples: options.samples, signal: options.signal });
  });
}

interface MeasureOptions {
  readonly samples: number;
  readonly signal: AbortSignal | undefined;
}

/** Messages between workers need workers: they are those of a simulation. */
async function measureCell(
  config: SimulationConfig,
  executor: ExecutorName,
  part: EnginePart,
  { samples, signal }: MeasureOptions,
): Promise<EngineCell> {
  const isMessages = part === 'messages' || part === 'round-trips';
  if (executor === 'threads' && isMessages) return workerMessages(config, part, { samples, signal });
  const count = { steps: STEPS, handoffs: HANDOFFS, messages: MESSAGES, 'round-trips': ROUND_TRIPS }[part];
  const steady = new SteadyState(WARM_UP, STEADY_WINDOW);
  const times: number[] = [];
  while (times.length < samples && signal?.aborted !== true) {
    const ns = await sampleOf(executor, part, count, config.seed);
    if (steady.isOver) times.push(ns);
    else steady.add(ns);
    // So that an interrupt is heard: nothing of a sample on one thread lets it in.
    await setImmediate();
  }
  return { executor, part, status: 'Passed', reason: '', count, times, ...steady.outcome };
}

async function sampleOf(
  executor: ExecutorName,
  part: EnginePart,
  count: number,
  seed: number,
): Promise<number> {
  const virtual = new VirtualExecutor(new RandomStrategy(seed));
  const threads = new ThreadExecutor(seed);
  threads.attach(new Doorbell(new SharedArrayBuffer(Doorbell.bytesFor(1)), 0));
  const sched: Scheduler = executor === 'virtual' ? virtual : threads;
  let open = 0;
  for (const work of tasksOf(part, sched, virtual, count)) {
    open++;
    const body = function* (): Steps<void> {
      yield* work;
      open--;
      if (open === 0) threads.stop();
    };
    sched.spawn(actorId(1), `bench.${open}`, body());
  }
  const startMs = performance.now();
  if (executor === 'threads') await threads.run();
  else virtual.run();
  const tookNs = (performance.now() - startMs) * 1e6;
  assert(open === 0, 'a task of the benchmark did not end');
  return tookNs;
}

function tasksOf(part: EnginePart, sched: Scheduler, virtual: VirtualExecutor, count: number): Steps<void>[] {
  const each = count / TASKS;
  switch (part) {
    case 'steps':
      return many(() => takeSteps(each));
    case 'handoffs': {
      const lock = new Mutex(sched, 'bench', benchLock);
      return many(() => takeLock(lock, each));
    }
    case 'messages': {
      const port = echoPort(virtual);
      return many(() => ask(port, each / 2));
    }
    case 'round-trips':
      return [ask(echoPort(virtual), count)];
  }
}

function many(of: () => Steps<void>): Steps<void>[] {
  return Array.from({ length: TASKS }, of);
}

function* takeSteps(count: number): Steps<void> {
  for (let i = 0; i < count; i++) yield STEP;
}

/** Each task waits for all others between two times that it has the lock. */
function* takeLock(lock: Mutex, count: number): Steps<void> {
  for (let i = 0; i < count; i++) {
    if (!lock.beginLock()) yield PARK;
    yield STEP;
    lock.unlock();
  }
}

function* ask(port: Port, count: number): Steps<void> {
  for (let i = 0; i < count; i++) {
    const { value } = yield* port.call(Echo, { value: i });
    assert(value === i, 'an answer to another request');
  }
}

/** One end of a pair of rings whose other end sends every request back. */
function echoPort(sched: VirtualExecutor): Port {
  const newRing = (): Ring => new Ring(new SharedArrayBuffer(Ring.bytesFor(RING_MESSAGES)), 0, RING_MESSAGES);
  const [there, back] = [newRing(), newRing()];
  const client = new Port(sched, actorId(1), actorId(2), 'the echo', there, back);
  const server = new Port(sched, actorId(2), actorId(1), 'the client', back, there);
  client.onSend = sched.pump(server, 'client');
  server.onSend = sched.pump(client, 'server');
  server.answer(Echo, ({ value }) => ({ value }));
  return client;
}

/** Calls of a program on a CPU thread to the Coordinator that do next to nothing there. */
async function workerMessages(
  config: SimulationConfig,
  part: EnginePart,
  { samples, signal }: MeasureOptions,
): Promise<EngineCell> {
  const isPipelined = part === 'messages';
  const calls = isPipelined ? WORKER_MESSAGES / 2 : WORKER_ROUND_TRIPS;
  const workload: EngineBenchConfig = {
    kind: 'engine-bench',
    name: 'bench',
    calls,
    atOnce: isPipelined ? TASKS * 4 : 1,
    samples,
    warmUp: WORKER_WARM_UP,
  };
  const report = await makeSimulation({
    ...config,
    name: 'bench engine',
    executor: 'threads',
    deviceCount: 1,
    workloads: [workload],
  }).run(signal === undefined ? {} : { signal });
  const counts = countsOf(report);
  const failed = report.failure?.message ?? report.workloads.find(({ ok }) => !ok)?.detail ?? null;
  return {
    executor: 'threads',
    part,
    status: failed === null ? 'Passed' : 'Error',
    reason: failed ?? '',
    count: isPipelined ? 2 * calls : calls,
    times: samplesOf(counts, 'sample'),
    ...warmedUpOf(counts),
  };
}
