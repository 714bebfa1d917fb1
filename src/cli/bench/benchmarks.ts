/** The benchmarks that `svmsim bench` knows, in the order in which all of them run. */

import { accessBenchmark } from './access.js';
import { calibrateBenchmark } from './calibrate.js';
import { engineBenchmark } from './engine.js';
import { exploreBenchmark } from './explore.js';
import { faultBenchmark } from './fault.js';
import { invalidateBenchmark } from './invalidate.js';
import { lookupBenchmark } from './lookup.js';
import { migrateBenchmark } from './migrate.js';
import { mirrorBenchmark } from './mirror.js';
import { type AnyBenchmark, framed } from './runBenchmark.js';

export const benchmarks: readonly AnyBenchmark[] = [
  framed(migrateBenchmark),
  framed(faultBenchmark),
  framed(invalidateBenchmark),
  framed(accessBenchmark),
  framed(engineBenchmark),
  framed(lookupBenchmark),
  framed(mirrorBenchmark),
  framed(exploreBenchmark),
  framed(calibrateBenchmark),
];
