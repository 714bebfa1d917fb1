/** Worker entry of the Coordinator. */

import { LocalCoordinator } from '../src/simulation/coordinatorHost.js';
import { exposeActor } from '../src/simulation/exposeActor.js';
import { policiesOf } from '../src/simulation/policyFile.js';

exposeActor(
  async (sched, { config, buffers }) => {
    const host = new LocalCoordinator(sched, config, buffers, await policiesOf(config));
    host.watch(null);
    return host;
  },
  (host) => host.ports,
);
