/** A part of the reference driver replaced: invalidations that wait for one device's TLB before they ask the next one, to see what that costs. */

import {
  type GpuHandle,
  Invalidation,
  type InvalidationWindow,
  type ScenarioKeys,
  type Steps,
  simulate,
} from 'svmsim';

/** The driver's own asks all devices at once and then waits for each. */
class OneAfterAnother extends Invalidation {
  protected override *invalidateTlbs(
    windows: Map<GpuHandle, InvalidationWindow>,
    forNotifier: boolean,
  ): Steps<void> {
    for (const [gpu, window] of windows) yield* super.invalidateTlbs(new Map([[gpu, window]]), forNotifier);
  }
}

/** Means in simulated nanoseconds: how long an invalidation takes with the driver's way, and with this one. */
export async function compareInvalidations(): Promise<{ atOnce: number; oneAfterAnother: number }> {
  const scenario: ScenarioKeys = {
    ram: '16MiB',
    devices: { count: 4, vram: '8MiB', contexts: 2 },
    svm: { placement: 'system' },
    workloads: [
      { kind: 'invalidate', size: '16pages', span: '16pages', operations: 30, calls: ['mprotect'] },
    ],
  };
  const [driver, mine] = await Promise.all([
    simulate({ scenario }),
    simulate({ scenario, invalidation: (vm) => new OneAfterAnother(vm) }),
  ]);
  return { atOnce: driver.invalidationLatency.meanNs, oneAfterAnother: mine.invalidationLatency.meanNs };
}
