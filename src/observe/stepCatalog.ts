/** A numbering of the named steps that is the same in every thread, whatever order its modules were loaded in. */

import { CpuStep } from '../actors/cpuThread.js';
import { assert } from '../base/assert.js';
import type { Brand } from '../base/brand.js';
import { DeviceStep } from '../device/deviceStep.js';
import { DriverStep } from '../driver/driverStep.js';
import { MirrorStep } from '../driver/mirror/mirrorStep.js';
import { GpuSvmStep } from '../drm/gpusvm/gpusvmStep.js';
import { PagemapStep } from '../drm/pagemap/pagemapStep.js';
import { MadviseStep } from '../mm/area/madvise.js';
import { MadviseFreeStep } from '../mm/area/madviseFree.js';
import { MadvisePageOutStep } from '../mm/area/madvisePageOut.js';
import { MlockStep } from '../mm/area/mlock.js';
import { MmapStep } from '../mm/area/mmap.js';
import { MprotectStep } from '../mm/area/mprotect.js';
import { MremapStep } from '../mm/area/mremap.js';
import { UnmapStep } from '../mm/area/unmapRegion.js';
import { CowStep } from '../mm/fault/copyOnWrite.js';
import { FaultStep } from '../mm/fault/fault.js';
import { SwapFaultStep } from '../mm/fault/swapFault.js';
import { UserfaultStep } from '../mm/fault/userfaultfd.js';
import { FileFaultStep } from '../mm/file/fileFault.js';
import { TruncateStep } from '../mm/file/truncate.js';
import { WritebackStep } from '../mm/file/writeback.js';
import { CollapseStep } from '../mm/huge/collapse.js';
import { DeferredSplitStep } from '../mm/huge/deferredSplit.js';
import { SplitStep } from '../mm/huge/folioSplit.js';
import { HugeFaultStep } from '../mm/huge/hugeFault.js';
import { HugeStep } from '../mm/huge/hugeLeaf.js';
import { HugetlbStep } from '../mm/hugetlb/hugetlbFault.js';
import { MigrateStep } from '../mm/migrate/migrateUnmap.js';
import { ExclusiveStep } from '../mm/mirror/exclusiveEntries.js';
import { GupStep } from '../mm/mirror/gup.js';
import { HmmStep } from '../mm/mirror/hmm.js';
import { NotifierStep } from '../mm/mirror/mmuNotifier.js';
import { CopyStep } from '../mm/process/copyPageRange.js';
import { ExitStep } from '../mm/process/exitMm.js';
import { ForkStep } from '../mm/process/fork.js';
import { RmapStep } from '../mm/rmap/rmap.js';
import { UnmapFolioStep } from '../mm/rmap/tryToUnmap.js';
import { ReclaimStep } from '../mm/swap/reclaim.js';
import { MoveStep } from '../mm/table/movePageTables.js';
import { PagemapReadStep } from '../mm/table/pagemap.js';
import { ZapStep } from '../mm/table/zap.js';
import { PortStep } from '../sim/port.js';
import {
  PARK,
  PUMP,
  STEP,
  STEP_FIELDS_MAX,
  type StepDefinition,
  type StepField,
  type StepId,
  stepDefinition,
} from '../sim/steps.js';
import { BenchStep } from '../workload/bench/benchStep.js';
import { WorkloadStep } from '../workload/workloadStep.js';

export { stepFields } from '../sim/steps.js';

/** Position in the catalog: the form in which a step's identity is kept in shared memory. */
export type StepNumber = Brand<number, 'StepNumber'>;

/** Steps that the catalog does not list, such as those of a user's own policy. */
export const OTHER_STEP = 0 as StepNumber;

const groups: readonly Readonly<Record<string, StepId>>[] = [
  { PARK, STEP, PUMP },
  PortStep,
  MmapStep,
  MprotectStep,
  MadviseStep,
  MadvisePageOutStep,
  MremapStep,
  MoveStep,
  UnmapStep,
  ZapStep,
  ExitStep,
  FaultStep,
  FileFaultStep,
  TruncateStep,
  WritebackStep,
  CowStep,
  ForkStep,
  CopyStep,
  ExclusiveStep,
  HugeStep,
  DeferredSplitStep,
  HugeFaultStep,
  HugetlbStep,
  CollapseStep,
  SplitStep,
  NotifierStep,
  RmapStep,
  UnmapFolioStep,
  ReclaimStep,
  SwapFaultStep,
  GupStep,
  MlockStep,
  MadviseFreeStep,
  UserfaultStep,
  PagemapReadStep,
  MigrateStep,
  HmmStep,
  GpuSvmStep,
  PagemapStep,
  DriverStep,
  MirrorStep,
  DeviceStep,
  CpuStep,
  WorkloadStep,
  BenchStep,
];

/** What a reader of events needs of a step. */
export type CatalogedStep = Pick<StepDefinition, 'name' | 'fields'>;

const catalog: readonly StepDefinition[] = groups.flatMap((group) =>
  Object.values(group).map(stepDefinition),
);

const steps: readonly CatalogedStep[] = [{ name: 'other', fields: [] }, ...catalog];

/** Numbers are below this. */
export const STEP_NUMBERS = steps.length;

/** 1 for steps with arguments, and for unlisted ones, of which nobody knows. */
const withArguments = Uint8Array.from(steps, (step, number) =>
  number === OTHER_STEP || step.fields.length > 0 ? 1 : 0,
);

const numbers: Int16Array = makeNumbers();

function makeNumbers(): Int16Array {
  const table = new Int16Array(1 + Math.max(...catalog.map((step) => step.id)));
  catalog.forEach((step, i) => {
    table[step.id] = i + 1;
  });
  return table;
}

/** Steps defined after this module was loaded are not in the catalog either. */
export function stepNumber(id: StepId): StepNumber {
  return (id < numbers.length ? numbers[id] : OTHER_STEP) as StepNumber;
}

/** Whether a step says anything beyond its name; those that do not are many, and are counted but not recorded. */
export function hasArguments(number: StepNumber): boolean {
  return withArguments[number] !== 0;
}

const argumentCounts = Uint8Array.from(steps, (step, number) =>
  number === OTHER_STEP ? STEP_FIELDS_MAX : step.fields.length,
);

/** Arguments that a step has. */
export function argumentCount(number: StepNumber): number {
  return argumentCounts[number];
}

/** Name and fields behind a number that was read from shared memory. */
export function catalogedStep(number: number): CatalogedStep {
  const step = steps[number];
  assert(step !== undefined, () => `step number ${number} does not exist`);
  return step;
}

/** Position of the first argument of a kind; -1 if the step has none. */
export function argumentOf(id: StepId, field: StepField): number {
  return stepDefinition(id).fields.indexOf(field);
}
