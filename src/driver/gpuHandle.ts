/** The driver's record of one GPU: how to ask it, how DMA reaches it, and what memory it offers. */

import { DeviceDma } from '../device/deviceDma.js';
import type { SystemAtomics } from '../device/gpuConfig.js';
import type { GpuPort } from '../device/gpuPort.js';
import type { IommuMapper } from '../device/iommuMapper.js';
import type { DrmDevice } from '../drm/drmDevice.js';
import { DrmDeviceLife } from '../drm/drmDeviceLife.js';
import type { DrmPagemap } from '../drm/pagemap/drmPagemap.js';
import { NO_OWNER, type PagemapOwner } from '../mm/migrate/devPagemap.js';
import type { DriverDevmem } from './driverDevmem.js';
import { areLinked, type PeerLinks } from './peerLinks.js';
import type { VramBo } from './vmBind/vramBo.js';
import { VramLru } from './vram/vramLru.js';

/** @kernel xe_device, xe_tile */
export class GpuHandle extends DeviceDma implements DrmDevice {
  readonly life: DrmDeviceLife;
  /** The driver's own reference, from the moment at which it binds to the device until it lets go of it. */
  dpagemap: DrmPagemap | null = null;
  /** What could be sent to RAM to make room. */
  readonly lru = new VramLru();

  /** Live allocations of migrated pages. */
  readonly allocations = new Set<DriverDevmem>();

  /** Live buffer objects of programs. */
  readonly bos = new Set<VramBo>();

  private failures = 0;

  constructor(
    index: number,
    readonly port: GpuPort,
    iommu: IommuMapper,
    readonly systemAtomics: SystemAtomics = 'none',
    private readonly links: PeerLinks = 'peer',
  ) {
    super(index, iommu);
    this.life = new DrmDeviceLife(`gpu${index}`);
  }

  /** Whose device-private pages it may use as they are: those of its own group; nobody's without memory. @kernel xe_svm_private_page_owner */
  get owner(): PagemapOwner {
    return this.dpagemap?.pagemap.owner ?? NO_OWNER;
  }

  /** Whether it reaches the other's memory as it lies there; itself always. @kernel pci_p2pdma_distance */
  reaches({ index }: GpuHandle): boolean {
    return areLinked(this.links, this.index, index);
  }

  /** Pages have migrated to the allocation, so eviction may find it. */
  keep(devmem: DriverDevmem): void {
    this.allocations.add(devmem);
    this.lru.add(devmem);
  }

  /** Its last page is gone. */
  forget(devmem: DriverDevmem): void {
    this.allocations.delete(devmem);
    this.lru.remove(devmem);
  }

  /** So many of the next allocations of its memory fail, for those who test what happens then. @kernel should_fail */
  failNextAllocations(times: number): void {
    this.failures += times;
  }

  /** Asked once for each allocation, before the device is. */
  allocationFails(): boolean {
    if (this.failures === 0) return false;
    this.failures--;
    return true;
  }
}
