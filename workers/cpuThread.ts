/** Worker entry of a CPU thread. */

import { LocalCpu } from '../src/simulation/cpuHost.js';
import { exposeActor } from '../src/simulation/exposeActor.js';
import { extensionsOf } from '../src/simulation/extensionFile.js';

exposeActor(
  async (sched, { config, buffers, index, tableRoot }) => {
    const { programs } = await extensionsOf(config);
    return new LocalCpu(sched, config, buffers, index, tableRoot, programs);
  },
  (host) => [host.port],
);
