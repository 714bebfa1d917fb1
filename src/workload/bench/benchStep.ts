/** The named step of benchmark programs: where they let others in. */

import { defineStep } from '../../sim/steps.js';

export const BenchStep = { sample: defineStep('bench.sample', 'count', 'ns') } as const;
