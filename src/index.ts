/** What `import { ... } from 'svmsim'` gives: building runs in code, driving them, and attaching policies, drivers and programs of one's own. */

export {
  type IoctlCall,
  type IoctlHandler,
  type IoctlReply,
  IoctlTable,
  ioctlReply,
} from './actors/ioctl.js';
// Tasks, steps and locks.
export type { Machine } from './actors/machine.js';
// Drivers of one's own.
export type {
  DriverMaker,
  DriverServices,
  OwnDriver,
  RaisedFault,
  ServeByDefault,
} from './actors/ownDriver.js';
// Numbers.
export { Errno, errnoName, isErrno } from './base/errno.js';
export {
  addressOf,
  formatVpn,
  PAGE_BYTES,
  PAGE_WORDS,
  pageOf,
  pagesFor,
  type Vpn,
  vpn,
} from './base/units.js';
export { UserError } from './base/userError.js';
export type { VerdictKind } from './bugs/verdictKind.js';
export type { CheckResult } from './check/checkResult.js';
export type { GpuPort, TlbInvalidation } from './device/gpuPort.js';
export { inSpace } from './device/gpuSpace.js';
export { Location, type Place } from './driver/attributes/location.js';
export { DriverRange, type RangeDevice } from './driver/driverRange.js';
export type { GpuHandle } from './driver/gpuHandle.js';
export { Invalidation, type InvalidationWindow } from './driver/invalidation.js';
export type { PlacementPolicy, PlacementQuestion } from './driver/placement.js';
export type { PrefetchPolicy, PrefetchQuestion } from './driver/prefetchPolicy.js';
export type { InvalidationMaker, SvmVm } from './driver/svmVm.js';
export type { EvictionPolicy } from './driver/vram/evictionPolicy.js';
export { type StrategyName, strategyNames } from './explore/strategies/makeStrategy.js';
export type { Verdict } from './explore/verdict.js';
export { describeStepEvent } from './library/describeStepEvent.js';
// Runs: from start to end, step by step, or under many schedules.
export {
  type ExploredFailure,
  type ExploreOptions,
  type ExploreProgress,
  type ExploreResult,
  explore,
} from './library/explore.js';
export { type Configured, configure, type Setup } from './library/setup.js';
export { passed, simulate } from './library/simulate.js';
export { type SteppedOptions, SteppedRun, type TaskView } from './library/steppedRun.js';
export { type AccessPort, holdPage } from './memory/accessPort.js';
export { FaultKind } from './memory/faultKind.js';
export { HmmPfnFlag, hmmPfnAt, hmmPfnToPfn, type Pfn } from './memory/pfn.js';
export type { PhysicalMemory } from './memory/physicalMemory.js';
export type { Kernel } from './mm/kernel.js';
export { NO_OWNER } from './mm/migrate/devPagemap.js';
export { Hmm, type HmmRange } from './mm/mirror/hmm.js';
export {
  IntervalNotifier,
  type IntervalNotifierOps,
  type NotifierRange,
  NotifyEvent,
} from './mm/mirror/mmuNotifier.js';
export type { Mm } from './mm/process/mm.js';
export type { Counters } from './observe/counters.js';
export type { Latency } from './observe/latency.js';
export { loadScenario } from './scenario/loadScenario.js';
export type { ScenarioKeys } from './scenario/schema.js';
export { LockMap } from './sim/lockMap.js';
export { LockClass } from './sim/lockOrder.js';
export { Mutex } from './sim/mutex.js';
export { RwLock } from './sim/rwLock.js';
export type { Scheduler, StepObserver } from './sim/scheduler.js';
export {
  defineStep,
  PARK,
  STEP,
  type StepField,
  type StepId,
  type Steps,
  stepDefinition,
} from './sim/steps.js';
export type { Strategy } from './sim/strategy.js';
export type { Task } from './sim/task.js';
export { WaitQueue } from './sim/waitQueue.js';
// Policies, and parts of the reference driver.
export type { Extensions } from './simulation/extensions.js';
export type { RunOptions } from './simulation/runOptions.js';
export type { DeviceReport, RunFailure, RunProgress, RunReport } from './simulation/runReport.js';
export type { SimulationConfig } from './simulation/simulationConfig.js';
export { IoctlRequest, OWN_REQUEST_FIRST } from './uapi/ioctlRequest.js';
export { launchAll, mapBuffer } from './workload/hostSteps.js';
// Programs of one's own.
export type { OwnProgram, ProgramMaker, ProgramPlace, Programs } from './workload/ownProgram.js';
export {
  type ActorProgress,
  Advice,
  type CallReply,
  type DeviceContext,
  type DeviceKernel,
  type Expectation,
  type HostContext,
  MapFlag,
  type Progress,
  Prot,
  RemapFlag,
  type WorkloadResult,
} from './workload/workload.js';
