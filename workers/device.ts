/** Worker entry of a Device. */

import { LocalDevice } from '../src/simulation/deviceHost.js';
import { exposeActor } from '../src/simulation/exposeActor.js';
import { extensionsOf } from '../src/simulation/extensionFile.js';

exposeActor(
  async (sched, { config, buffers, index }) => {
    const { programs } = await extensionsOf(config);
    return new LocalDevice(sched, config, buffers, index, programs);
  },
  (host) => [host.port],
);
