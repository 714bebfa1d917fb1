/** A set of devices as an immutable value that can be compared. */

/** Bit i: device i. */
export type DeviceMask = bigint;

export const NO_DEVICE: DeviceMask = 0n;

export function maskOf(device: number): DeviceMask {
  return 1n << BigInt(device);
}

export function hasDevice(mask: DeviceMask, device: number): boolean {
  return (mask & maskOf(device)) !== 0n;
}

export function without(mask: DeviceMask, device: number): DeviceMask {
  return mask & ~maskOf(device);
}

/** Devices 0 to `count` - 1. */
export function firstDevices(count: number): DeviceMask {
  return (1n << BigInt(count)) - 1n;
}

/** Ascending. */
export function devicesIn(mask: DeviceMask): number[] {
  const devices: number[] = [];
  for (let rest = mask, i = 0; rest !== 0n; rest >>= 1n, i++) if ((rest & 1n) !== 0n) devices.push(i);
  return devices;
}
