/** A numbering of the named steps that is the same in every thread, whatever order its modules were loaded in. */

import { CpuStep } from '../actors/cpuThread.js';
import { assert } from '../base/assert.js';
import type { Brand } from '../base/brand.js';
import { DeviceStep } from '../device/deviceStep.js';
import { DriverStep } from '../driver/driverStep.js';
import { MirrorStep } from '../driver/mirror/mirrorStep.js';
import { GpuSvmStep } from '../drm/gpusvm/gpusvmStep.js';
import { PagemapStep } from '../drm/pagemap/pagemapStep.js';
import { CollapseStep } from '../mm/collapse.js';
import { CowStep } from '../mm/copyOnWrite.js';
import { CopyStep } from '../mm/copyPageRange.js';
import { DeferredSplitStep } from '../mm/deferredSplit.js';
import { ExclusiveStep } from '../mm/exclusiveEntries.js';
import { ExitStep } from '../mm/exitMm.js';
import { FaultStep } from '../mm/fault.js';
import { FileFaultStep } from '../mm/file/fileFault.js';
import { TruncateStep } from '../mm/file/truncate.js';
import { WritebackStep } from '../mm/file/writeback.js';
import { SplitStep } from '../mm/folioSplit.js';
import { ForkStep } from '../mm/fork.js';
import { GupStep } from '../mm/gup.js';
import { HmmStep } from '../mm/hmm.js';
import { HugeFaultStep } from '../mm/hugeFault.js';
import { HugeStep } from '../mm/hugeLeaf.js';
import { HugetlbStep } from '../mm/hugetlb/hugetlbFault.js';
import { MadviseStep } from '../mm/madvise.js';
import { MadviseFreeStep } from '../mm/madviseFree.js';
import { MigrateStep } from '../mm/migrateUnmap.js';
import { MlockStep } from '../mm/mlock.js';
import { MmapStep } from '../mm/mmap.js';
import { NotifierStep } from '../mm/mmuNotifier.js';
import { MoveStep } from '../mm/movePageTables.js';
import { MprotectStep } from '../mm/mprotect.js';
import { MremapStep } from '../mm/mremap.js';
import { PagemapReadStep } from '../mm/pagemap.js';
import { ReclaimStep } from '../mm/reclaim.js';
import { RmapStep } from '../mm/rmap.js';
import { SwapFaultStep } from '../mm/swapFault.js';
import { UnmapFolioStep } from '../mm/tryToUnmap.js';
import { UnmapStep } from '../mm/unmapRegion.js';
import { UserfaultStep } from '../mm/userfaultfd.js';
import { ZapStep } from '../mm/zap.js';
import { PortStep } from '../sim/port.js';
import {
  PARK,
  STEP,
  type StepDefinition,
  type StepField,
  type StepId,
  stepDefinition,
} from '../sim/steps.js';
import { BenchStep } from '../workload/migrateBench.js';
import { WorkloadStep } from '../workload/workloadStep.js';

/** Position in the catalog: the form in which a step's identity is kept in shared memory. */
export type StepNumber = Brand<number, 'StepNumber'>;

/** Steps that the catalog does not list, such as those of a user's own policy. */
export const OTHER_STEP = 0 as StepNumber;

const groups: readonly Readonly<Record<string, StepId>>[] = [
  { PARK, STEP },
  PortStep,
  MmapStep,
  MprotectStep,
  MadviseStep,
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
