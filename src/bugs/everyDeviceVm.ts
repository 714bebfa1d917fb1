/** Reaches the GPU address spaces of all processes on all devices. */

import type { Machine } from '../actors/machine.js';
import type { DeviceVm } from '../driver/vmBind/deviceVm.js';
import { everyMirror } from './everyMirror.js';

/** Calls `visit` once for each, before the first step that uses it; not for those of devices that join later. */
export function everyDeviceVm(machine: Machine, visit: (deviceVm: DeviceVm) => void): void {
  everyMirror(machine, (vm) => {
    for (const deviceVm of vm.deviceVms.values()) visit(deviceVm);
  });
}
