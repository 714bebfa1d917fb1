/**
 * What recording costs the host in a migration of 64 KiB, which is what `bench migrate` waits for at that size: with a trace, without one, and by a build
 * in which there is no recorder at all. Of a built program: `node tools/traceCost.mjs [processes] [rounds]`.
 *
 * All actors of a machine are on one thread, and each is timed apart, so that nothing waits for a processor or wakes another thread. Each of the three
 * machines has a thread and compiled code of its own; they take turns, one round of migrations to the device and back each, so that they meet the same
 * moments of this computer. What the compiler makes of a program differs from process to process, therefore several of them.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const self = fileURLToPath(import.meta.url);
const root = join(dirname(self), '..');
const withoutRecorder = join(root, 'dist/withoutRecorder');
const SIDES = ['without', 'off', 'on'];
const RANGE_PAGES = 16;
const MIGRATIONS = 128;
const REGION_PAGES = MIGRATIONS * RANGE_PAGES;
const IN_FLIGHT = 4;
const WARM_ROUNDS = 100;

/** The same program with what serves the recorder taken out of the scheduler and of the actors' beginning. */
function makeBuildWithout() {
  rmSync(withoutRecorder, { recursive: true, force: true });
  cpSync(join(root, 'dist/src'), join(withoutRecorder, 'src'), { recursive: true });
  takeOut('sim/scheduler.js', /^ *if \(this\.waitObserver !== null\)\n.*\n/gm, 3);
}

function takeOut(file, pattern, times) {
  const path = join(withoutRecorder, 'src', file);
  const text = readFileSync(path, 'utf8');
  const found = text.match(pattern)?.length ?? 0;
  if (found !== times)
    throw new Error(`${file}: ${found} places that serve the recorder instead of ${times}`);
  writeFileSync(path, text.replace(pattern, ''));
}

/** A machine whose actors one thread runs in turn, each with a scheduler of its own. */
async function makeMachine(dist, isTraced) {
  const load = (file) => import(pathToFileURL(join(dist, 'src', file)));
  const { loadScenario } = await load('scenario/loadScenario.js');
  const { allocateBuffers } = await load('simulation/sharedBuffers.js');
  const { observeActor } = await load('simulation/observeActor.js');
  const { LocalCoordinator } = await load('simulation/coordinatorHost.js');
  const { LocalDevice } = await load('simulation/deviceHost.js');
  const { LocalCpu } = await load('simulation/cpuHost.js');
  const { TraceCollector } = await load('observe/trace/traceCollector.js');
  const { ThreadExecutor } = await load('sim/threads/threadExecutor.js');
  const { Advice, bufferBase } = await load('workload/workload.js');
  const { mapBuffer } = await load('workload/hostSteps.js');
  const { fillPattern } = await load('workload/bench/testPattern.js');

  /** Runs what there is to do and comes back, where the one of a thread would wait. */
  class Turns extends ThreadExecutor {
    workedMs = 0;
    takeTurn() {
      const startMs = performance.now();
      const progressed = this.turn();
      if (this.deliveryError !== null) throw this.deliveryError;
      if (this.failure !== null) throw this.failure;
      if (progressed) this.workedMs += performance.now() - startMs;
      return progressed;
    }
  }

  const plain = loadScenario(join(root, 'config/bench-migrate.yaml'), { devices: '1' });
  const svm = {
    ...plain.svm,
    chunkPages: [RANGE_PAGES, 1],
    interconnect: 'peer',
    timesliceUs: 0,
    placement: 'migrate',
  };
  const workload = {
    kind: 'migrate-bench',
    name: 'bench',
    flows: [{ source: -1, destination: 0 }],
    sizeBytes: RANGE_PAGES * 4096,
    measuresCopy: false,
    rangePages: RANGE_PAGES,
    depth: IN_FLIGHT,
    regionPages: REGION_PAGES,
    warmups: { min: 1, max: 1 },
    samples: 1,
  };
  const config = { ...plain, svm, workloads: [workload], trace: isTraced };
  const buffers = allocateBuffers(config);
  const executors = [new Turns(1), new Turns(1), new Turns(1)];
  const coordinator = new LocalCoordinator(executors[0], config, buffers);
  const device = new LocalDevice(executors[1], config, buffers, 0);
  const cpu = new LocalCpu(executors[2], config, buffers, 0, coordinator.tableRoot);
  const ports = [coordinator.ports, [device.port], [cpu.port]];
  executors.forEach((executor, actor) => {
    observeActor(executor, actor, config, buffers);
    for (const port of ports[actor]) executor.addLink({ port, peerDoorbell: { knock: () => false } });
  });
  const collector = isTraced ? new TraceCollector(buffers.trace) : null;
  const { host } = cpu;
  cpu.thread.gate.join();

  function settle(body) {
    let result = null;
    executors[2].spawn(
      2,
      'bench',
      (function* () {
        result = { errno: yield* body };
      })(),
    );
    let progressed = true;
    while (progressed) {
      progressed = false;
      for (const executor of executors) progressed = executor.takeTurn() || progressed;
    }
    if (result === null || result.errno !== 0) throw new Error(`the machine stands: ${result?.errno}`);
  }

  const region = bufferBase(0);
  settle(mapBuffer(host, region, REGION_PAGES));
  settle(host.madvise(region, REGION_PAGES, Advice.NoHugePage));
  settle(fillPattern(host, region, REGION_PAGES));

  /** Microseconds that host and device work for one migration, of which one half goes there and the other back. */
  return function round() {
    for (const executor of executors) executor.workedMs = 0;
    settle(host.prefetch(region, REGION_PAGES, 0, IN_FLIGHT));
    settle(host.prefetch(region, REGION_PAGES, -1, IN_FLIGHT));
    // Another thread does that in a run.
    collector?.drain();
    const [hostUs, deviceUs] = executors.map(({ workedMs }) => (workedMs * 1e3) / (2 * MIGRATIONS));
    if (collector !== null && collector.dropped > 0) throw new Error('events found no room');
    return { hostUs, deviceUs };
  };
}

async function serveRounds() {
  const round = await makeMachine(workerData.dist, workerData.isTraced);
  for (let i = 0; i < WARM_ROUNDS; i++) round();
  parentPort.on('message', () => parentPort.postMessage(round()));
  parentPort.postMessage('ready');
}

/** One process: prints what each machine's rounds took as one line of JSON. */
async function measure(rounds) {
  const { tuneEngine } = await import('../dist/src/simulation/engine.js');
  tuneEngine();
  const machines = [];
  // Who starts first differs from process to process.
  const first = process.pid % SIDES.length;
  for (const name of [...SIDES.slice(first), ...SIDES.slice(0, first)]) {
    const dist = name === 'without' ? withoutRecorder : join(root, 'dist');
    const worker = new Worker(self, { workerData: { dist, isTraced: name === 'on' } });
    worker.on('error', (error) => {
      throw error;
    });
    const ask = (text) =>
      new Promise((resolve) => {
        worker.once('message', resolve);
        if (text !== null) worker.postMessage(text);
      });
    await ask(null);
    machines.push({ name, ask });
  }
  const found = [];
  for (let i = 0; i < rounds; i++) {
    const times = {};
    // Each is first as often as last.
    for (let k = 0; k < machines.length; k++) {
      const { name, ask } = machines[(i + k) % machines.length];
      times[name] = await ask('round');
    }
    found.push(times);
  }
  process.stdout.write(JSON.stringify(found));
  process.exit(0);
}

function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round(share * (sorted.length - 1))];
}

/** The rounds that were least disturbed by other work of this computer: a fifth of them is faster. */
function typicalUs(rounds, side) {
  return quantile(
    rounds.map((times) => times[side].hostUs),
    0.2,
  );
}

function ratiosOf(processes, dividend, divisor) {
  return processes.map((rounds) => 100 * (typicalUs(rounds, dividend) / typicalUs(rounds, divisor) - 1));
}

function compared(processes, dividend, divisor) {
  const ratios = ratiosOf(processes, dividend, divisor);
  const [low, middle, high] = [0, 0.5, 1].map((share) => quantile(ratios, share).toFixed(1));
  return processes.length === 1
    ? `${dividend} over ${divisor} ${middle}%`
    : `${dividend} over ${divisor} ${middle}% (${low}% to ${high}%)`;
}

function tell(title, processes) {
  const us = SIDES.map(
    (side) =>
      `${side} ${quantile(
        processes.map((rounds) => typicalUs(rounds, side)),
        0.5,
      ).toFixed(1)}us`,
  );
  const ratios = [compared(processes, 'on', 'off'), compared(processes, 'off', 'without')];
  process.stdout.write(`${title}: ${[...us, ...ratios].join(', ')}\n`);
}

function runAll(processes, rounds) {
  makeBuildWithout();
  const all = [];
  process.stdout.write(
    'Work of the host for a migration of 64 KiB (wall; of rounds that took turns, the one that a fifth is faster than):\n',
  );
  for (let i = 1; i <= processes; i++) {
    const one = spawnSync(process.execPath, [self, '1', rounds, 'one'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (one.status !== 0) process.exit(one.status ?? 1);
    const found = JSON.parse(one.stdout);
    all.push(found);
    tell(`process ${i}`, [found]);
  }
  tell('median', all);
  rmSync(withoutRecorder, { recursive: true, force: true });
}

const [processes = '5', rounds = '200', mode] = process.argv.slice(2);
if (!isMainThread) await serveRounds();
else if (mode === 'one') await measure(Number(rounds));
else runAll(Number(processes), rounds);
