/** A small run under the virtual executor, recorded once for all tests of traces. */

import type { Counters } from '../../../src/observe/counters.js';
import type { Trace } from '../../../src/observe/trace/trace.js';
import { loadScenario } from '../../../src/scenario/loadScenario.js';
import { makeSimulation } from '../../../src/simulation/makeSimulation.js';

interface Recorded {
  readonly trace: Trace;
  readonly counters: Counters;
}

let recorded: Promise<Recorded> | null = null;

export async function recordedRun(): Promise<Trace> {
  return (await theRun()).trace;
}

/** What was counted in the same run. */
export async function recordedCounters(): Promise<Counters> {
  return (await theRun()).counters;
}

function theRun(): Promise<Recorded> {
  recorded ??= record();
  return recorded;
}

async function record(): Promise<Recorded> {
  const set = [
    'workloads.saxpy.elements=8192',
    'workloads.pattern.accesses=8',
    'workloads.pattern.rounds=2',
    'invalidation.operations=40',
  ];
  const config = { ...loadScenario('config/templates/scenario.yaml', { set }), trace: true };
  let trace: Trace | null = null;
  const onTrace = (whole: Trace): void => {
    trace = whole;
  };
  const { outcome, counters } = await makeSimulation(config).run({ onTrace });
  if (outcome !== 'completed' || trace === null) throw new Error(`the run ended ${outcome}`);
  return { trace, counters };
}
