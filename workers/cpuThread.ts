/** Worker entry of a CPU thread. */

import { LocalCpu } from '../src/simulation/cpuHost.js';
import { exposeActor } from '../src/simulation/exposeActor.js';

exposeActor(
  (sched, { config, buffers, index, tableRoot }) => new LocalCpu(sched, config, buffers, index, tableRoot),
  (host) => [host.port],
);
