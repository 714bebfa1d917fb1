/** All rules, checked at one moment of rest, and what must be left when a run has been torn down. */

import type { Coordinator } from '../actors/coordinator.js';
import type { GpuSnapshot } from '../device/gpuSnapshot.js';
import type { Expectation } from '../workload/workload.js';
import { checkAreas } from './areas.js';
import type { CheckResult } from './checkResult.js';
import { checkContent } from './content.js';
import { checkDevicePages } from './devicePages.js';
import { checkDma } from './dma.js';
import { checkDmaTargets } from './dmaTargets.js';
import { checkFiles } from './filePages.js';
import { checkFolioLocks } from './folioLocks.js';
import { checkFolioOrders } from './folioOrders.js';
import { checkGpuVms } from './gpuVms.js';
import { checkHugetlb } from './hugetlb.js';
import { checkLeaves } from './leaves.js';
import { checkLifetimes } from './lifetimes.js';
import { checkLru } from './lru.js';
import { MachineView } from './machineView.js';
import { checkMapcounts } from './mapcounts.js';
import { checkMembership } from './membership.js';
import { checkGpuViews, checkMirrors } from './mirrors.js';
import { checkNotifiers } from './notifiers.js';
import { checkPagemaps } from './pagemaps.js';
import { checkQuiescence } from './quiescence.js';
import { checkRefcounts } from './refcounts.js';
import type { EventSource, Rule } from './rule.js';
import { checkStructure } from './structure.js';
import { checkSwap } from './swap.js';
import { checkTeardown } from './teardown.js';
import { checkTranslations } from './translations.js';
import { checkZones } from './zones.js';

export interface VerifyInput {
  readonly coordinator: Coordinator;
  /** Of all devices, in their order, taken after the Coordinator came to rest and the devices had drained their mailboxes. */
  readonly devices: readonly GpuSnapshot[];
  /** Together they say what every populated page must hold; null where programs check for themselves what they read. */
  readonly expectations: readonly Expectation[] | null;
  readonly lastEvents: EventSource;
}

/** Runs in the Coordinator's thread while no task is within an operation. Changes nothing. */
export function verify(input: VerifyInput): CheckResult[] {
  return checkRules(input).map((rule) => rule.result(input.lastEvents));
}

/** As {@link verify}, but tells only of rules that do not hold, which costs less where all do. */
export function violations(input: VerifyInput): CheckResult[] {
  return checkRules(input)
    .filter((rule) => !rule.holds)
    .map((rule) => rule.result(input.lastEvents));
}

type Check = (view: MachineView, input: VerifyInput) => readonly Rule[];

const NO_RULES: readonly Rule[] = [];

/** In the order in which they are told. */
const CHECKS: readonly Check[] = [
  (view, { expectations }) => (expectations === null ? NO_RULES : checkContent(view, expectations)),
  checkRefcounts,
  checkMapcounts,
  checkFolioLocks,
  checkFolioOrders,
  checkMirrorsOrDevices,
  checkAreas,
  checkLeaves,
  checkLru,
  ({ kernel }) => checkHugetlb(kernel),
  ({ kernel, entries }, { coordinator }) => checkFiles(kernel, coordinator.processes.all(), entries),
  checkNotifiers,
  checkTranslations,
  checkGpuVms,
  checkDma,
  checkDmaTargets,
  checkStructure,
  checkMembership,
  checkLifetimes,
  checkPagemaps,
  checkSwap,
  checkZones,
  checkQuiescence,
];

/** Either the test device's driver is there or the reference driver. */
function checkMirrorsOrDevices(view: MachineView, { coordinator }: VerifyInput): readonly Rule[] {
  const { mirror, gpuViews } = coordinator;
  if (mirror !== null) return checkMirrors(view.kernel, view.mms, mirror.devices, view.used);
  return [...checkDevicePages(view), ...checkGpuViews(view.kernel, view.mms, gpuViews.views)];
}

function checkRules(input: VerifyInput): Rule[] {
  const view = new MachineView(input.coordinator, input.devices);
  const rules: Rule[] = [];
  for (const check of CHECKS) for (const rule of check(view, input)) rules.push(rule);
  return rules;
}

const noEvents: EventSource = () => null;

/** As {@link verifyTornDown}, but tells only of rules that do not hold. */
export function tornDownViolations(coordinator: Coordinator, devices: readonly GpuSnapshot[]): CheckResult[] {
  return checkTeardown(new MachineView(coordinator, devices))
    .filter((rule) => !rule.holds)
    .map((rule) => rule.result(noEvents));
}

/**
 * After `Coordinator.tearDown`. `devices` may be empty where they cannot be asked: what the host knows of their memory is checked all the same.
 */
export function verifyTornDown(
  coordinator: Coordinator,
  devices: readonly GpuSnapshot[] = [],
  lastEvents: EventSource = noEvents,
): CheckResult[] {
  const view = new MachineView(coordinator, devices);
  return checkTeardown(view).map((rule) => rule.result(lastEvents));
}
