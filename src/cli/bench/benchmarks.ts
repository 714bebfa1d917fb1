/** The benchmarks that `svmsim bench` knows, in the order in which all of them run. */

import { calibrateBenchmark } from './calibrate.js';
import { exploreBenchmark } from './explore.js';
import { lookupBenchmark } from './lookup.js';
import { migrateBenchmark } from './migrate.js';
import { mirrorBenchmark } from './mirror.js';
import { type AnyBenchmark, framed } from './runBenchmark.js';

export const benchmarks: readonly AnyBenchmark[] = [
  framed(migrateBenchmark),
  framed(lookupBenchmark),
  framed(mirrorBenchmark),
  framed(exploreBenchmark),
  framed(calibrateBenchmark),
];
