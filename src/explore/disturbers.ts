/** Programs without an end of their own, which disturb the others until they are told to stop. */

import type { SimulationConfig } from '../simulation/simulationConfig.js';
import type { VirtualMachine } from '../simulation/virtualMachine.js';
import type { WorkloadConfig } from '../workload/workloadConfig.js';

function isOpenEnded(workload: WorkloadConfig): boolean {
  if ('operations' in workload) return !Number.isFinite(workload.operations);
  return 'rounds' in workload && !Number.isFinite(workload.rounds);
}

/** Which of the workloads they are. */
export function disturbersOf({ workloads }: SimulationConfig): number[] {
  return workloads.flatMap((workload, i) => (isOpenEnded(workload) ? [i] : []));
}

/** Each ends with what it is doing; the others go on, and so does what it has launched. */
export function calm(machine: VirtualMachine, disturbers: readonly number[]): void {
  for (const workload of disturbers) machine.cpus[workload].requestStop();
}

/** What kernels still have to do is left out; each ends after the access that it is at. */
export function endKernels({ devices }: VirtualMachine): void {
  for (const device of devices) device.requestStop();
}
