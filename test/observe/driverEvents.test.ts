/** What drivers report to processes: one event per illegal access and per start of a migration, with its cause. */

import { expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { DriverStep, MigrateTrigger } from '../../src/driver/driverStep.js';
import { PagemapStep } from '../../src/drm/pagemap/pagemapStep.js';
import { FaultStep } from '../../src/mm/fault/fault.js';
import { DriverEvents } from '../../src/observe/driverEvents.js';

const MM = 3;
const PAGE = 0x100;

it('reports illegal accesses, and migrations by cause; other steps are none of its business', () => {
  const events = new DriverEvents();
  events.onStep(null, DriverStep.memoryFault, PAGE, 1, Errno.EPERM, MM);
  events.onStep(null, DriverStep.prefetchDropped, PAGE, 1, Errno.EFAULT, MM);
  events.onStep(null, DriverStep.migrateStart, PAGE, 4, MM, MigrateTrigger.Prefetch);
  events.onStep(null, DriverStep.migrateStart, PAGE, 512, MM, MigrateTrigger.Eviction);
  events.onStep(null, PagemapStep.toRam, PAGE + 4, 2, 0, MM);
  events.onStep(null, FaultStep.cpuFault, PAGE + 1, 1, MM, 0);
  events.onStep(null, PagemapStep.toRam, PAGE + 1, 2, 0, MM);
  events.onStep(null, FaultStep.cpuFaultDone, PAGE + 1, Errno.OK, MM, 0);
  events.onStep(null, PagemapStep.toRam, PAGE + 5, 2, 0, MM);
  expect(events.list).toEqual([
    { kind: 'gpu_memory_fault', mm: MM, page: PAGE, npages: 1, trigger: null },
    { kind: 'migrate_start', mm: MM, page: PAGE, npages: 4, trigger: 'prefetch' },
    { kind: 'migrate_start', mm: MM, page: PAGE, npages: 512, trigger: 'eviction' },
    { kind: 'migrate_start', mm: MM, page: PAGE + 1, npages: 2, trigger: 'cpu_fault' },
  ]);
});
