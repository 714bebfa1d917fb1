/** Worker entry of the Coordinator. */

import { LocalCoordinator } from '../src/simulation/coordinatorHost.js';
import { exposeActor } from '../src/simulation/exposeActor.js';

exposeActor(
  (sched, { config, buffers }) => new LocalCoordinator(sched, config, buffers),
  (host) => host.ports,
);
