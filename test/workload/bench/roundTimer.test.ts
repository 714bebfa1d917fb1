/** A timer of rounds has nanoseconds of both clocks. */

import { expect, it } from 'vitest';
import { RoundTimer } from '../../../src/workload/bench/roundTimer.js';

it('measures from its start to its stop, by the clock of the run and by that of the machine', () => {
  let nowNs = 1000;
  const timer = new RoundTimer({ now: () => nowNs });
  const beforeMs = performance.now();
  timer.start();
  nowNs += 70;
  while (performance.now() < beforeMs + 3);
  timer.stop();
  expect(timer.ns).toBe(70);
  expect(timer.wallNs).toBeGreaterThan(2e6);
  expect(timer.wallNs).toBeLessThanOrEqual((performance.now() - beforeMs) * 1e6);
});
