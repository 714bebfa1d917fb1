/** Worker entry of a Device. */

import { LocalDevice } from '../src/simulation/deviceHost.js';
import { exposeActor } from '../src/simulation/exposeActor.js';

exposeActor(
  (sched, { config, buffers, index }) => new LocalDevice(sched, config, buffers, index),
  (host) => [host.port],
);
