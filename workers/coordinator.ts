/** Worker entry of the Coordinator. */

import { LocalCoordinator } from '../src/simulation/coordinatorHost.js';
import { exposeActor } from '../src/simulation/exposeActor.js';

exposeActor(
  (sched, { config, buffers }) => {
    const host = new LocalCoordinator(sched, config, buffers);
    host.watch(null);
    return host;
  },
  (host) => host.ports,
);
