/** The benchmarks that `svmsim bench` knows, in the order in which all of them run. */

import type { Benchmark } from './benchmark.js';
import { lookupBenchmark } from './lookup.js';
import { migrateBenchmark } from './migrate.js';
import { mirrorBenchmark } from './mirror.js';

export const benchmarks: readonly Benchmark[] = [migrateBenchmark, lookupBenchmark, mirrorBenchmark];
