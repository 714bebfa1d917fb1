/** Makes the simulation of a configuration: allocates its memory, starts its actors, runs it, and ends them. */

import type { TraceHead } from '../observe/trace/trace.js';
import { TraceCollector } from '../observe/trace/traceCollector.js';
import { RandomStrategy } from '../sim/virtual/randomStrategy.js';
import { Conductor } from './conductor.js';
import { extensionsOf } from './extensionFile.js';
import type { Extensions } from './extensions.js';
import type { Fleet } from './fleet.js';
import type { RunReport } from './runReport.js';
import { actorNames, allocateBuffers, type SharedBuffers } from './sharedBuffers.js';
import type { PooledRunOptions, Simulation } from './simulation.js';
import type { SimulationConfig } from './simulationConfig.js';
import { ThreadFleet } from './threadFleet.js';
import { VirtualFleet } from './virtualFleet.js';

/** `extensions` are for the virtual executor; threads load theirs from the module that the configuration names. */
export function makeSimulation(config: SimulationConfig, extensions: Extensions = {}): Simulation {
  return { run: (options = {}) => runWithBuffers(config, allocateBuffers(config), options, extensions) };
}

/** For callers that look into the shared memory afterwards. */
export async function runWithBuffers(
  config: SimulationConfig,
  buffers: SharedBuffers,
  options: PooledRunOptions,
  extensions: Extensions = {},
): Promise<RunReport> {
  const tracer = config.trace === true ? new TraceCollector(buffers.trace) : null;
  try {
    return await conduct(config, buffers, options, tracer, extensions);
  } finally {
    // Also where no actor has started.
    tracer?.stop();
  }
}

async function conduct(
  config: SimulationConfig,
  buffers: SharedBuffers,
  options: PooledRunOptions,
  tracer: TraceCollector | null,
  extensions: Extensions,
): Promise<RunReport> {
  const fleet = await startFleet(config, buffers, options, tracer, extensions);
  try {
    return await new Conductor(config, buffers, fleet, options).run();
  } finally {
    await fleet.close();
    if (tracer !== null) options.onTrace?.(tracer.finish(traceHead(config)));
  }
}

function traceHead(config: SimulationConfig): TraceHead {
  const { name: scenario, executor, seed, deviceCount: devices } = config;
  return { scenario, executor, seed, devices, actors: actorNames(config) };
}

async function startFleet(
  config: SimulationConfig,
  buffers: SharedBuffers,
  { workers }: PooledRunOptions,
  tracer: TraceCollector | null,
  given: Extensions,
): Promise<Fleet> {
  // A bad one is refused before any actor starts; the worker that needs it under `threads` loads it again.
  const extensions = { ...(await extensionsOf(config)), ...given };
  if (config.executor === 'threads') {
    // In a thread of its own, so that nobody who records waits for it.
    tracer?.start();
    return ThreadFleet.start(config, buffers, workers ?? null);
  }
  const strategy = new RandomStrategy(config.seed);
  strategy.newExecution();
  return new VirtualFleet(config, buffers, strategy, tracer, extensions);
}
