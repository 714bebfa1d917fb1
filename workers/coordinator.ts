/** Worker entry of the Coordinator. */

import { LocalCoordinator } from '../src/simulation/coordinatorHost.js';
import { exposeActor } from '../src/simulation/exposeActor.js';
import { extensionsOf } from '../src/simulation/extensionFile.js';

exposeActor(
  async (sched, { config, buffers }) => {
    const host = new LocalCoordinator(sched, config, buffers, await extensionsOf(config));
    host.watch(null);
    return host;
  },
  (host) => host.ports,
);
