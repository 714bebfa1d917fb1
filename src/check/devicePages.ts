/** M5 and R5: device pages, the data that they point to, the driver's allocations and the device's own account of its VRAM agree. */

import type { GpuSnapshot } from '../device/gpuSnapshot.js';
import type { DriverDevmem } from '../driver/driverDevmem.js';
import type { Zdd } from '../drm/pagemap/devmem.js';
import { FrameWords } from '../memory/frameWords.js';
import { type Pfn, pfn } from '../memory/pfn.js';
import { ZoneKind } from '../memory/zone.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

export function checkDevicePages(view: MachineView): Rule[] {
  return [checkFrames(view), checkAllocations(view)];
}

/**
 * Free: no reference and no zone device data. In use: both, of the memory's own driver, and one reference of the data per folio.
 * Implied by zone_device_page_init, which takes a free page and gives it its first reference, and by the page_free callback of drm_pagemap, which puts the data's
 * reference when the last of the folio's goes. A page that kept the data of a former life would be copied and freed as part of an allocation that is gone.
 */
function checkFrames(view: MachineView): Rule {
  const rule = new Rule('M5', 'device pages', 'in use', 'zone device data');
  const folios = new Map<Zdd, number>();
  const accounts = new Accounts(view.layout.totalPages, view.devices);
  for (const { kind, pages } of view.layout.zones) {
    if (kind !== ZoneKind.System) rule.look('device pages', pages);
  }
  view.forEachDeviceFrame((pfn, device) => {
    const zdd = checkFrame(view, rule, pfn, device);
    if (zdd === null) return;
    rule.look('in use');
    if (view.folios.headOf(pfn) === pfn) folios.set(zdd, (folios.get(zdd) ?? 0) + 1);
    checkOwner(view, rule, pfn, zdd, accounts);
  });
  for (const zdd of view.zdds) {
    rule.look('zone device data');
    const used = folios.get(zdd) ?? 0;
    rule.require(
      zdd.refs === used,
      {},
      () => `zone device data ${zdd.id} has ${zdd.refs} references, but ${used} folios`,
    );
  }
  return rule;
}

/** The data that a page in use points to; null for a free page, and where there is none. */
function checkFrame(view: MachineView, rule: Rule, pfn: Pfn, device: number): Zdd | null {
  const { folios, coordinator } = view;
  const id = folios.zoneData(pfn);
  const refs = folios.refcount(pfn);
  if (refs === 0 || id === 0) {
    rule.require(
      refs === 0 && id === 0,
      { pfn },
      () => `${refs} references, zone device data ${id}: free and not free`,
    );
    return null;
  }
  const zdd = coordinator.zdds.find(id);
  if (zdd === null) {
    rule.violate({ pfn }, `points to zone device data ${id}, which does not exist`);
    return null;
  }
  const { index } = zdd.dpagemap.device;
  rule.require(index === device, { pfn }, () => `a page of gpu${device} points to data of gpu${index}`);
  return zdd;
}

function checkOwner(view: MachineView, rule: Rule, pfn: Pfn, zdd: Zdd, accounts: Accounts): void {
  const devmem = view.devmemOf(zdd);
  if (devmem === null) {
    rule.violate({ pfn }, `in use, but zone device data ${zdd.id} has no allocation`);
    return;
  }
  if (!accounts.hostHas(devmem, pfn)) rule.violate({ pfn }, `not a page of its allocation ${devmem.vramId}`);
  if (view.devices.length === 0) return;
  const allocation = accounts.onDevice(pfn);
  if (allocation === devmem.vramId) return;
  rule.violate(
    { pfn },
    allocation === 0
      ? `in use, but free on gpu${devmem.gpu.index}`
      : `of allocation ${devmem.vramId} here, but of ${allocation} on gpu${devmem.gpu.index}`,
  );
}

/** Which allocation a frame belongs to, by the host's account and by the device's. */
class Accounts {
  /** The device's numbers of allocations, by frame; 0 where the frame is free. */
  private readonly onDevices: FrameWords;
  /** By frame: the place of its allocation among `hosts`, from 1 on. */
  private readonly onHost: FrameWords;
  private readonly hosts = new Map<DriverDevmem, number>();

  constructor(totalPages: number, snapshots: readonly GpuSnapshot[]) {
    this.onHost = new FrameWords(totalPages);
    this.onDevices = new FrameWords(totalPages);
    for (const { vramRuns } of snapshots) {
      for (let at = 0; at < vramRuns.length; at += 3) {
        const first = vramRuns[at + 1];
        for (let i = 0; i < vramRuns[at + 2]; i++) this.onDevices.set(pfn(first + i), vramRuns[at]);
      }
    }
  }

  /** The device's number of the allocation; 0 where the frame is free. */
  onDevice(pfn: Pfn): number {
    return this.onDevices.of(pfn);
  }

  /** A frame that two allocations list belongs to the one that was asked for last. */
  hostHas(devmem: DriverDevmem, pfn: Pfn): boolean {
    const host = this.hosts.get(devmem) ?? this.addHost(devmem);
    return this.onHost.of(pfn) === host;
  }

  private addHost(devmem: DriverDevmem): number {
    const place = this.hosts.size + 1;
    this.hosts.set(devmem, place);
    for (const frame of devmem.pfns) this.onHost.set(pfn(frame), place);
    return place;
  }
}

/**
 * An allocation is detached exactly when no data refers to it, so never while the driver still lists it.
 * Implied by the reference count of the zone device data: every folio of the allocation has one reference, and the last one completes `detached` and hands the
 * memory back. Whoever evicts waits for that alone, so that a wrong count either hangs it or frees memory in use.
 */
function checkAllocations(view: MachineView): Rule {
  const rule = new Rule('R5', 'allocations');
  const listed = new Set<DriverDevmem>(view.gpus.flatMap((gpu) => view.allocationsOf(gpu)));
  const owned = new Set<DriverDevmem>();
  for (const zdd of view.zdds) {
    const devmem = view.devmemOf(zdd);
    if (devmem === null) continue;
    owned.add(devmem);
    rule.require(listed.has(devmem), {}, () => `${describe(devmem)} is used, but not in the driver's list`);
  }
  for (const devmem of listed) {
    rule.look('allocations');
    rule.require(owned.has(devmem), {}, () => `${describe(devmem)} is listed, but no page refers to it`);
    const gone = devmem.released || devmem.detached.isDone;
    rule.require(!gone, {}, () => `${describe(devmem)} is listed, but was released`);
  }
  return rule;
}

function describe(devmem: DriverDevmem): string {
  return `allocation ${devmem.vramId} of gpu${devmem.gpu.index} (${devmem.npages} pages)`;
}
