/** Everything that actors say to one another, each message typed once. */

import type { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { VramAllocationId } from '../device/gpuPort.js';
import type { SpaceId } from '../device/gpuSpace.js';
import type { FaultKind } from '../memory/faultKind.js';
import type { PageArrayId } from '../memory/pageArrays.js';
import type { Madvise } from '../mm/area/madvise.js';
import { defineMessage, field } from '../sim/message.js';

const page = field<Vpn>();
const errno = field<Errno>();
const number = field();

/** A CPU thread's page fault and system calls, to the Coordinator; they are calls of the process that the thread runs. */
export const CpuMessage = {
  /** From now on the thread runs this process; the reply is the root of its page table. */
  enterProcess: defineMessage('cpu.enterProcess', { mm: number }, { errno, root: number }),
  /** A call to a driver: see `ioctlRequest.ts`. */
  ioctl: defineMessage(
    'cpu.ioctl',
    { request: number, device: number, page, npages: number, a: number, b: number },
    { errno, a: number, b: number },
  ),
  fault: defineMessage('cpu.fault', { page, write: number }, { errno }),
  /** `file` is the number that opening it replied; 0 for none. */
  mmap: defineMessage(
    'cpu.mmap',
    { hint: page, npages: number, prot: number, flags: number, file: number, fileOffset: number },
    { result: number },
  ),
  munmap: defineMessage('cpu.munmap', { page, npages: number }, { errno }),
  mprotect: defineMessage('cpu.mprotect', { page, npages: number, prot: number }, { errno }),
  madvise: defineMessage('cpu.madvise', { page, npages: number, advice: field<Madvise>() }, { errno }),
  mremap: defineMessage(
    'cpu.mremap',
    { page, npages: number, newPages: number, flags: number, newPage: page },
    { result: number },
  ),
  brk: defineMessage('cpu.brk', { end: page }, { end: page }),
  /** Migrate a span to a device, or with target -1 to RAM, `depth` ranges at a time. */
  prefetch: defineMessage('cpu.prefetch', { page, npages: number, target: number, depth: number }, { errno }),
  /** From now on the device mirrors the process's addresses, or no longer (`joins` 0). */
  membership: defineMessage('cpu.membership', { device: number, joins: number }, { errno }),
  /** The driver lets go of the device: what lies in its memory comes home, and nothing goes there any more. */
  unbind: defineMessage('cpu.unbind', { device: number }, { errno }),
  /** Run a kernel of a workload on a device; -ENODEV where it does not mirror the process. */
  launch: defineMessage(
    'cpu.launch',
    { device: number, workload: number, phase: number, a: number, b: number },
    { errno },
  ),
  /** How many pages of a span lie in a device's memory, or with target -1 in RAM. */
  residency: defineMessage('cpu.residency', { page, npages: number, target: number }, { npages: number }),
} as const;

/** A device's page fault, to the Coordinator. Between the two a page is named with its address space. */
export const DeviceMessage = {
  fault: defineMessage('gpu.fault', { page, write: number, kind: field<FaultKind>() }, { errno }),
} as const;

/** What a bind allows beyond loads. */
export const BindRight = { Write: 1, Atomic: 2 } as const;

/** The host's requests to a device, from the Coordinator. */
export const HostMessage = {
  allocVram: defineMessage(
    'host.allocVram',
    { npages: number, pfns: field<PageArrayId>() },
    { result: field<VramAllocationId | Errno>() },
  ),
  releaseVram: defineMessage('host.releaseVram', { id: field<VramAllocationId>() }, {}),
  bind: defineMessage(
    'host.bind',
    { page, npages: number, addrs: field<PageArrayId>(), rights: number },
    { errno },
  ),
  zap: defineMessage('host.zap', { page, npages: number }, {}, { isDeferrable: true }),
  invalidateTlb: defineMessage('host.invalidateTlb', { page, npages: number }, {}, { isDeferrable: true }),
  copy: defineMessage(
    'host.copy',
    { src: field<PageArrayId>(), dst: field<PageArrayId>(), npages: number },
    { errno },
  ),
  removeSpace: defineMessage('host.removeSpace', { space: field<SpaceId>() }, {}),
  launch: defineMessage(
    'host.launch',
    { space: field<SpaceId>(), workload: number, phase: number, a: number, b: number },
    { errno },
  ),
} as const;
