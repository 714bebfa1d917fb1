/** Makes the simulation of a configuration: allocates its memory, starts its actors, runs it, and ends them. */

import { RandomStrategy } from '../sim/virtual/randomStrategy.js';
import { Conductor } from './conductor.js';
import type { Fleet } from './fleet.js';
import type { RunReport } from './runReport.js';
import { allocateBuffers, type SharedBuffers } from './sharedBuffers.js';
import type { RunOptions, Simulation } from './simulation.js';
import type { SimulationConfig } from './simulationConfig.js';
import { ThreadFleet } from './threadFleet.js';
import { VirtualFleet } from './virtualFleet.js';

export function makeSimulation(config: SimulationConfig): Simulation {
  return { run: (options = {}) => runWithBuffers(config, allocateBuffers(config), options) };
}

/** For callers that look into the shared memory afterwards. */
export async function runWithBuffers(
  config: SimulationConfig,
  buffers: SharedBuffers,
  options: RunOptions,
): Promise<RunReport> {
  const fleet = await startFleet(config, buffers, options);
  try {
    return await new Conductor(config, buffers, fleet, options).run();
  } finally {
    await fleet.close();
  }
}

async function startFleet(
  config: SimulationConfig,
  buffers: SharedBuffers,
  { workers }: RunOptions,
): Promise<Fleet> {
  if (config.executor === 'threads') return ThreadFleet.start(config, buffers, workers ?? null);
  const strategy = new RandomStrategy(config.seed);
  strategy.newExecution();
  return new VirtualFleet(config, buffers, strategy);
}
