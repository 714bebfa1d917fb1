/** What a fault is about, as far as its steps say: whose memory, whether the area allows the access, and what may change that. */

import type { Coordinator } from '../../actors/coordinator.js';
import type { Vpn } from '../../base/units.js';
import type { GpuHandle } from '../../driver/gpuHandle.js';
import type { SvmVm } from '../../driver/svmVm.js';
import { MadviseStep } from '../../mm/area/madvise.js';
import { MmapStep } from '../../mm/area/mmap.js';
import { MprotectStep } from '../../mm/area/mprotect.js';
import { MremapStep } from '../../mm/area/mremap.js';
import { UnmapStep } from '../../mm/area/unmapRegion.js';
import type { Vma } from '../../mm/area/vma.js';
import { ExitStep } from '../../mm/process/exitMm.js';
import type { StepId } from '../../sim/steps.js';

/** What may change areas, or end them. */
export const areaChanges: readonly StepId[] = [
  MmapStep.mmap,
  MmapStep.munmap,
  MmapStep.brk,
  MprotectStep.mprotect,
  MremapStep.mremap,
  MadviseStep.madvise,
  UnmapStep.detached,
  ExitStep.exit,
];

/** The mirror that a device's fault must be about; null for a device that has several, or none: its step does not say whose fault it is. */
export function onlyMirrorOf({ vms }: Coordinator, gpu: GpuHandle): SvmVm | null {
  let found: SvmVm | null = null;
  for (const vm of vms) {
    if (!vm.membership.has(gpu)) continue;
    if (found !== null) return null;
    found = vm;
  }
  return found;
}

/** Whether the device's access there is one to the same address of the process. */
export function isMirrored(vm: SvmVm, gpu: GpuHandle, page: Vpn): boolean {
  return !vm.closed && vm.membership.has(gpu) && vm.deviceVm(gpu).vaAt(page)?.kind === 'mirror';
}

/** Whether the area allows the access. */
export function allows(vma: Vma, write: boolean): boolean {
  return vma.isReadable && (!write || vma.isWritable);
}
