/** A small run under the virtual executor, recorded once for all tests of traces. */

import type { Trace } from '../../../src/observe/trace/trace.js';
import { loadScenario } from '../../../src/scenario/loadScenario.js';
import { makeSimulation } from '../../../src/simulation/makeSimulation.js';

let recorded: Promise<Trace> | null = null;

export function recordedRun(): Promise<Trace> {
  recorded ??= record();
  return recorded;
}

async function record(): Promise<Trace> {
  const set = [
    'workloads.saxpy.elements=8192',
    'workloads.pattern.accesses=8',
    'workloads.pattern.rounds=2',
    'invalidation.operations=40',
  ];
  const config = { ...loadScenario('config/templates/scenario.yaml', { set }), trace: true };
  return new Promise((resolve, reject) => {
    makeSimulation(config)
      .run({ onTrace: resolve })
      .then((report) => {
        if (report.outcome !== 'completed') reject(new Error(`the run ended ${report.outcome}`));
      }, reject);
  });
}
