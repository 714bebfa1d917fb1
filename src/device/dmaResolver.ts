/** What a DMA address means to one device: which frame it leads to, and that it is the kind of memory that it claims to be. */

import { assert } from '../base/assert.js';
import { type DmaAddr, DmaProto, dmaPage, dmaProto } from '../memory/dmaAddr.js';
import { formatPfn, pfn } from '../memory/pfn.js';
import type { PhysicalLayout } from '../memory/physicalLayout.js';
import { type Zone, ZoneKind } from '../memory/zone.js';
import type { Iommu } from './iommu.js';

export class DmaResolver {
  constructor(
    readonly device: number,
    readonly layout: PhysicalLayout,
    readonly iommu: Iommu,
  ) {}

  /**
   * The frame behind the first page of an address, or -1 when it is not mapped for this use. An address that claims VRAM where
   * there is none of that kind is a driver bug and asserted against.
   */
  frameOf(addr: DmaAddr, write: boolean): number {
    const page = dmaPage(addr);
    const proto = dmaProto(addr);
    if (proto === DmaProto.System) return this.frameOfIoPage(page, write);
    const zone = this.zoneOf(page);
    if (proto === DmaProto.Vram) {
      this.checkOwn(zone, page);
      return page;
    }
    this.checkPeer(zone, page);
    return this.iommu.peers.allows(page, write) ? page : -1;
  }

  zoneOf(frame: number): Zone {
    return this.layout.zoneOf(pfn(frame));
  }

  private frameOfIoPage(iova: number, write: boolean): number {
    const frame = this.iommu.translate(iova, write);
    if (frame >= 0) {
      assert(this.zoneOf(frame).kind === ZoneKind.System, () => `I/O page ${iova} does not lead to RAM`);
    }
    return frame;
  }

  private checkOwn(zone: Zone, page: number): void {
    assert(
      zone.deviceIndex === this.device,
      () => `gpu${this.device}: ${formatPfn(page)} in ${zone.name} is not its VRAM`,
    );
  }

  private checkPeer(zone: Zone, page: number): void {
    assert(
      zone.kind !== ZoneKind.System && zone.deviceIndex !== this.device,
      () => `gpu${this.device}: ${formatPfn(page)} in ${zone.name} is not VRAM of a peer`,
    );
  }
}
