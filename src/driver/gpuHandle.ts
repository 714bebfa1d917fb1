/** The driver's record of one GPU: how to ask it, how DMA reaches it, and what memory it offers. */

import { DeviceDma } from '../device/deviceDma.js';
import type { SystemAtomics } from '../device/gpuConfig.js';
import type { GpuPort } from '../device/gpuPort.js';
import type { IommuMapper } from '../device/iommuMapper.js';
import type { DrmDevice } from '../drm/drmDevice.js';
import { DrmDeviceLife } from '../drm/drmDeviceLife.js';
import type { DrmPagemap } from '../drm/pagemap/drmPagemap.js';
import type { DriverDevmem } from './driverDevmem.js';
import type { VramBo } from './vmBind/vramBo.js';

/** @kernel xe_device, xe_tile */
export class GpuHandle extends DeviceDma implements DrmDevice {
  readonly life: DrmDeviceLife;
  /** The driver's own reference, from the moment at which it binds to the device until it lets go of it. */
  dpagemap: DrmPagemap | null = null;
  /** Live allocations of migrated pages, the least recently migrated first: a Set keeps the order of insertion. */
  readonly allocations = new Set<DriverDevmem>();

  /** Live buffer objects of programs. */
  readonly bos = new Set<VramBo>();

  constructor(
    index: number,
    readonly port: GpuPort,
    iommu: IommuMapper,
    readonly systemAtomics: SystemAtomics = 'none',
  ) {
    super(index, iommu);
    this.life = new DrmDeviceLife(`gpu${index}`);
  }
}
