/** The named steps of a GPU: what schedulers, traces and checkers see of it. */

import { defineStep } from '../sim/steps.js';

export const DeviceStep = {
  /** A context cannot go on; `flags` is 1 for a store, `id` the context's index. */
  contextBlocked: defineStep('device.contextBlocked', 'device', 'gpuVpn', 'flags', 'id'),
  /** A fault is in the buffer; `count` contexts now wait for it. */
  faultRaised: defineStep('device.faultRaised', 'device', 'gpuVpn', 'flags', 'count'),
  /** A batch of `count` faults leaves the buffer. */
  faultBatch: defineStep('device.faultBatch', 'device', 'count'),
  /** The host has been told of a fault. */
  faultDelivered: defineStep('device.faultDelivered', 'device', 'gpuVpn', 'flags'),
  /** The host has answered; `ns` since the fault was raised, on the executor's clock. */
  faultServed: defineStep('device.faultServed', 'device', 'gpuVpn', 'errno', 'ns'),
  bind: defineStep('device.bind', 'device', 'gpuVpn', 'npages', 'errno'),
  /** `count` of the `npages` entries had been valid. */
  zap: defineStep('device.zap', 'device', 'gpuVpn', 'npages', 'count'),
  /** `count` TLB entries were dropped. */
  tlbInvalidate: defineStep('device.tlbInvalidate', 'device', 'gpuVpn', 'npages', 'count'),
  /** `npages` of a copy are done, from entry `count` of the request on. */
  copyChunk: defineStep('device.copyChunk', 'device', 'count', 'npages', 'errno'),
  /** `bytes` begin to cross link `id` of the device; only where time is modelled. */
  linkStart: defineStep('device.linkStart', 'device', 'id', 'bytes'),
  /** They have crossed it. */
  linkEnd: defineStep('device.linkEnd', 'device', 'id', 'bytes'),
  /** `npages` of the device's memory are in use from now on. */
  vramUsed: defineStep('device.vramUsed', 'device', 'npages'),
  /** An access through an I/O page that the IOMMU does not map; the run ends with it. `id` is the I/O page. */
  iommuFault: defineStep('device.iommuFault', 'device', 'gpuVpn', 'flags', 'id'),
  kernelStart: defineStep('device.kernelStart', 'device', 'count'),
  kernelEnd: defineStep('device.kernelEnd', 'device', 'count', 'errno'),
} as const;
