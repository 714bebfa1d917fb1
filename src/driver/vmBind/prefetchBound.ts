/** Prefetch of what a program has bound itself: it becomes usable, as by its first access. */

import { Errno } from '../../base/errno.js';
import type { PageSpan } from '../../drm/gpuvm/addressRange.js';
import type { Steps } from '../../sim/steps.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { SvmVm } from '../svmVm.js';
import type { DeviceVm } from './deviceVm.js';
import { type DriverVa, own } from './driverVa.js';

/**
 * Objects come back to their memory; mirrors are for their ranges to prefetch, and the vm lock is not taken where there is nothing else. Errors:
 * -ENOENT (the mirror is closed), -ENODEV (the device has left it), -EINVAL (an object that cannot go there), -ENOMEM, and those of `VaBinder.bind`. @kernel DRM_XE_VM_BIND_OP_PREFETCH
 */
export function* prefetchBound(vm: SvmVm, gpu: GpuHandle, span: PageSpan, toRam = false): Steps<Errno> {
  const deviceVm = vm.deviceVm(gpu);
  if (!deviceVm.hasBound(span)) return Errno.OK;
  yield* vm.vmLock.read();
  let errno: Errno = vm.closed ? Errno.ENOENT : Errno.ENODEV;
  if (deviceVm.isOpen) errno = yield* prefetchLocked(deviceVm, span, toRam);
  vm.vmLock.readUnlock();
  return errno;
}

/** No mapping goes while the vm lock is held. */
function* prefetchLocked(deviceVm: DeviceVm, { start, end }: PageSpan, toRam: boolean): Steps<Errno> {
  const list = deviceVm.gpuvm.splitMerge.prefetchOpsCreate(start, end);
  if (typeof list === 'number') return list;
  let errno: Errno = Errno.OK;
  for (const op of list) {
    if (op.op === 'prefetch' && errno === Errno.OK) errno = yield* prefetchVa(deviceVm, own(op.va), toRam);
  }
  list.free();
  return errno;
}

/** An object belongs in its device's memory, and in RAM for every other device: it is asked for in vain elsewhere. @kernel xe_bo_migrate, xe_bo_can_migrate */
function* prefetchVa(deviceVm: DeviceVm, va: DriverVa, toRam: boolean): Steps<Errno> {
  if (va.kind === 'mirror') return Errno.OK;
  const { bo } = va;
  if (bo === null) return yield* deviceVm.serveFault(va);
  const isOwn = bo.gpu === deviceVm.gpu;
  const isInRam = !isOwn || bo.pieces.length === 0;
  if (toRam) return isInRam ? Errno.OK : Errno.EINVAL;
  return isOwn ? yield* deviceVm.serveFault(va) : Errno.EINVAL;
}
