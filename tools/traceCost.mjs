/**
 * What a trace costs `bench migrate` at 64 KiB: its program with a trace, without one, and by a build in which there is no recorder at all. Of a built
 * program: `node tools/traceCost.mjs [processes] [rounds]`.
 *
 * The three run as in the benchmark, each actor in a thread of its own, and take turns round by round while the other two sleep: they meet the same
 * moments of this computer, which change more from second to second than what is asked for. What the compiler makes of a program differs from process
 * to process, therefore several of them.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setEnvironmentData } from 'node:worker_threads';

const self = fileURLToPath(import.meta.url);
const root = join(dirname(self), '..');
const copies = join(root, 'dist/turns');
const SIDES = ['without', 'off', 'on'];
const RANGE_PAGES = 16;
const MIGRATIONS = 128;
const IN_FLIGHT = 4;
const WARM_ROUNDS = 60;

const gate = (side) => `
import { getEnvironmentData as turns } from 'node:worker_threads';
function waitForTurn() {
  const turn = turns('turn');
  for (let now = Atomics.load(turn, 0); now % ${SIDES.length} !== ${side}; now = Atomics.load(turn, 0)) Atomics.wait(turn, 0, now);
}
function passTurn() {
  Atomics.add(turns('turn'), 0, 1);
  Atomics.notify(turns('turn'), 0);
}
`;

const ROUND = '  *round(host, times, counts) {\n';
const ROUND_IN_TURN = `${ROUND}    waitForTurn();
    try {
      return yield* this.roundInTurn(host, times, counts);
    } finally {
      passTurn();
    }
  }
${ROUND.replace('round', 'roundInTurn')}`;

/** Copies of the program whose benchmark waits for its turn; the first has nothing in its schedulers that serves the recorder. */
function makeCopies() {
  rmSync(copies, { recursive: true, force: true });
  SIDES.forEach((name, side) => {
    const dist = distOf(name);
    for (const folder of ['src', 'workers', 'bundles'])
      cpSync(join(root, 'dist', folder), join(dist, folder), { recursive: true });
    change(join(dist, 'bundles/cpuThread.js'), ROUND, ROUND_IN_TURN, 1, gate(side));
    if (name !== 'without') return;
    for (const actor of ['coordinator', 'device', 'cpuThread'])
      change(join(dist, `bundles/${actor}.js`), /^ *if \(this\.waitObserver !== null\)\n.*\n/gm, '', 3);
  });
}

function distOf(side) {
  return join(copies, side, 'dist');
}

function change(path, pattern, replacement, times, head = '') {
  const text = readFileSync(path, 'utf8');
  const found = text.split(pattern).length - 1;
  if (found !== times) throw new Error(`${path}: ${found} places to change instead of ${times}`);
  writeFileSync(path, head + text.replaceAll(pattern, replacement));
}

/** Microseconds of one migration, round by round, of a machine that a flow goes through. */
async function run(side, source, destination, rounds) {
  const load = (file) => import(pathToFileURL(join(distOf(side), 'src', file)));
  const { loadScenario } = await load('scenario/loadScenario.js');
  const { makeSimulation } = await load('simulation/makeSimulation.js');
  const { samplesOf, countsOf, problemOf } = await load('simulation/bench/benchCounts.js');
  const plain = loadScenario(join(root, 'config/bench-migrate.yaml'), { devices: '1' });
  const workload = {
    kind: 'migrate-bench',
    name: 'bench',
    flows: [{ source, destination }],
    sizeBytes: RANGE_PAGES * 4096,
    measuresCopy: false,
    rangePages: RANGE_PAGES,
    depth: IN_FLIGHT,
    regionPages: MIGRATIONS * RANGE_PAGES,
    warmups: { min: WARM_ROUNDS, max: WARM_ROUNDS },
    samples: rounds,
  };
  const svm = {
    ...plain.svm,
    chunkPages: [RANGE_PAGES, 1],
    interconnect: 'peer',
    timesliceUs: 0,
    placement: 'migrate',
  };
  const config = { ...plain, executor: 'threads', svm, workloads: [workload], trace: side === 'on' };
  let dropped = 0;
  const onTrace = (trace) => {
    dropped = trace.dropped;
  };
  const report = await makeSimulation(config).run({ onTrace });
  const problem = problemOf(report, 'group');
  if (problem !== null) throw new Error(`${side}: ${problem}`);
  if (dropped > 0) throw new Error(`${side}: ${dropped} events found no room`);
  return samplesOf(countsOf(report), 'group').map((ns) => ns / 1e3 / MIGRATIONS);
}

/** One process: prints the times of every side as one line of JSON, for the way to the device and the way back. */
async function measure(rounds) {
  const { tuneForMeasuring } = await import('../dist/src/simulation/engine.js');
  tuneForMeasuring();
  const ways = [];
  for (const [source, destination] of [
    [-1, 0],
    [0, -1],
  ]) {
    setEnvironmentData('turn', new Int32Array(new SharedArrayBuffer(4)));
    ways.push(await Promise.all(SIDES.map((side) => run(side, source, destination, rounds))));
  }
  process.stdout.write(JSON.stringify(ways));
  process.exit(0);
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

const percent = (ratio) => `${ratio < 1 ? '' : '+'}${(100 * (ratio - 1)).toFixed(1)}%`;

/** What one process found about one way: median times of the sides, and the median over rounds of what a round took longer than its neighbour. */
function compared([without, off, on]) {
  const slower = (sides, other) => median(sides.map((us, round) => us / other[round]));
  return { us: [without, off, on].map(median), off: slower(off, without), on: slower(on, off) };
}

function tell(title, { us, off, on }, spread = () => '') {
  const times = SIDES.map((name, side) => `${name} ${us[side].toFixed(1)}us`).join(', ');
  const ratios = `off over without ${percent(off)}${spread('off')}, on over off ${percent(on)}${spread('on')}`;
  process.stdout.write(`${title}: ${times}; ${ratios}\n`);
}

function tellAll(title, found) {
  const all = (name) => found.map((one) => one[name]);
  const us = SIDES.map((_, side) => median(found.map((one) => one.us[side])));
  tell(
    title,
    { us, off: median(all('off')), on: median(all('on')) },
    (name) => ` (${percent(Math.min(...all(name)))} to ${percent(Math.max(...all(name)))})`,
  );
}

function runAll(processes, rounds) {
  makeCopies();
  const ways = [
    { title: 'to the device', found: [] },
    { title: 'to RAM', found: [] },
  ];
  process.stdout.write(
    `A migration of 64 KiB in bench migrate (wall, median of ${rounds} rounds that took turns; ratios: median over neighbouring rounds):\n`,
  );
  for (let i = 1; i <= processes; i++) {
    const one = spawnSync(process.execPath, [self, '1', String(rounds), 'one'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (one.status !== 0) process.exit(one.status ?? 1);
    JSON.parse(one.stdout).forEach((sides, way) => {
      const result = compared(sides);
      ways[way].found.push(result);
      tell(`process ${i}, ${ways[way].title}`, result);
    });
  }
  for (const { title, found } of ways) tellAll(`median, ${title}`, found);
  rmSync(copies, { recursive: true, force: true });
}

const [processes = '5', rounds = '100', mode] = process.argv.slice(2);
if (mode === 'one') await measure(Number(rounds));
else runAll(Number(processes), Number(rounds));
