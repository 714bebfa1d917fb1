/** What recording costs: migrations of 64 KiB, measured in turn without and with a trace. Of a built program: `node tools/traceCost.mjs [pairs] [samples]`. */

import { loadScenario } from '../dist/src/scenario/loadScenario.js';
import { runBenchMigrate } from '../dist/src/simulation/bench/migrate.js';

const KIB = 1024;
const SAMPLES = Number(process.argv[3] ?? 9);
const pairs = Number(process.argv[2] ?? 3);
const plain = loadScenario('config/bench-migrate.yaml', { devices: '1' });
const variant = { test: 'host_to_device', sizeBytes: 64 * KIB, rangeBytes: 64 * KIB, storm: false };

/** Bytes per nanosecond of wall time, of the first flow. */
async function measure(trace) {
  const clocks = { wall: true, simulated: false };
  const [cell] = await runBenchMigrate(
    { ...plain, trace },
    { variants: [variant], samples: SAMPLES, clocks },
  );
  const { wall } = cell.flows[0];
  const times = wall.times.toSorted((a, b) => a - b);
  return wall.bytes / times[times.length >> 1];
}

const ratios = [];
for (let pair = 0; pair < pairs; pair++) {
  // Each is first as often as second.
  const order = pair % 2 === 0 ? [false, true] : [true, false];
  const speeds = new Map();
  for (const trace of order) speeds.set(trace, await measure(trace));
  const [off, on] = [speeds.get(false), speeds.get(true)];
  ratios.push(off / on);
  process.stdout.write(
    `off ${off.toFixed(3)}GB/s, on ${on.toFixed(3)}GB/s (wall): ${(100 * (off / on - 1)).toFixed(1)}% slower\n`,
  );
}
ratios.sort((a, b) => a - b);
process.stdout.write(`median of ${pairs}: ${(100 * (ratios[ratios.length >> 1] - 1)).toFixed(1)}% slower\n`);
process.exit(0);
