/** The last events of a run, with its names of actors and its clock. */

import type { ObserverBuffers } from '../observe/actorObserver.js';
import { LastEvents } from '../observe/lastEvents.js';
import { actorNames } from './sharedBuffers.js';
import type { SimulationConfig } from './simulationConfig.js';

export function lastEventsOf(config: SimulationConfig, observed: ObserverBuffers): LastEvents {
  return new LastEvents(observed, actorNames(config), config.executor === 'threads' ? 'wall' : 'simulated');
}
