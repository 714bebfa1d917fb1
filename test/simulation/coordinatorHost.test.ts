/** The Coordinator's control plane: what it promises holds for the devices too. */

import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { vpn } from '../../src/base/units.js';
import { smallMachine } from '../../src/explore/smallMachine.js';
import { holdPage } from '../../src/memory/accessPort.js';
import { scenarioFromText } from '../../src/scenario/loadScenario.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { allocateBuffers } from '../../src/simulation/sharedBuffers.js';
import { VirtualMachine } from '../../src/simulation/virtualMachine.js';
import { withPrograms } from '../../src/simulation/withPrograms.js';
import { mapBuffer } from '../../src/workload/hostSteps.js';
import type { Programs } from '../../src/workload/ownProgram.js';

const PAGES = 64;
const text = `
executor: virtual
ram: 256pages
devices: { count: 1, vram: 128pages, contexts: 1 }
svm: { chunks: [4KiB], placement: migrate }
workloads: []
`;

/** Leaves each page in memory of the device, by itself. */
const programs: Programs = {
  leaves: ({ start }) => ({
    *run(host) {
      yield* mapBuffer(host, start, PAGES);
      yield* host.launch(0, 0, 0, 0);
      return null;
    },
    kernel: () =>
      function* (context) {
        for (let i = 0; i < PAGES; i++) {
          yield* holdPage(context, vpn(start + i), true);
          context.release();
        }
        return 0;
      },
  }),
};

function machine(): VirtualMachine {
  const small = smallMachine(withPrograms(scenarioFromText('leaves.yaml', text), programs, 'here'));
  if (small.machine === undefined) throw new Error('a small machine has sizes of its own');
  const config = { ...small, machine: { ...small.machine, ringMessages: 2 } };
  return new VirtualMachine(config, allocateBuffers(config), new RandomStrategy(1), { programs });
}

it('has torn all down only when devices have been sent all that they must know, though mailboxes hold less', async () => {
  const { executor, coordinator, cpus, devices } = machine();
  for (const cpu of cpus) cpu.start(() => {});
  executor.run();
  expect(devices[0].snapshot().vram.usedPages).toBe(PAGES);
  let isTornDown = false;
  void coordinator.tearDown().then(() => {
    isTornDown = true;
  });
  while (!isTornDown) {
    executor.run(() => false, 1);
    await setImmediate();
  }
  expect(devices[0].snapshot().vram.usedPages).toBe(0);
});
