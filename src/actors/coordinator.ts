/** The Coordinator actor: the kernel's part. It holds the address space, the mirrors, and the driver, and serves faults and system calls. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { SystemAtomics } from '../device/gpuConfig.js';
import { FIRST_SPACE, pageInSpace, type SpaceId, spaceOf } from '../device/gpuSpace.js';
import type { Iommu } from '../device/iommu.js';
import { IommuMapper } from '../device/iommuMapper.js';
import { AllocationHome } from '../driver/allocationHome.js';
import { AttributeDriver } from '../driver/attributes/attributeDriver.js';
import { DeviceMembership } from '../driver/deviceMembership.js';
import { GpuFaultHandler } from '../driver/fault/faultHandler.js';
import type { FaultPathCosts } from '../driver/fault/faultPath.js';
import { FaultRecovery } from '../driver/fault/faultRecovery.js';
import { PrefetchAhead } from '../driver/fault/prefetchAhead.js';
import { RangeBinding } from '../driver/fault/rangeBinding.js';
import { RangeMigration } from '../driver/fault/rangeMigration.js';
import { RangePlacement } from '../driver/fault/rangePlacement.js';
import { RangePrefetch } from '../driver/fault/rangePrefetch.js';
import { SpanPrefetch } from '../driver/fault/spanPrefetch.js';
import { GpuHandle } from '../driver/gpuHandle.js';
import { GpuUnbind } from '../driver/gpuUnbind.js';
import { GpuViews } from '../driver/mirror/gpuViews.js';
import { MirrorDriver, type MirrorDriverConfig } from '../driver/mirror/mirrorDriver.js';
import { type MirrorLayout, MirrorTable } from '../driver/mirrorTable.js';
import { hasInterconnect, type PeerLinks } from '../driver/peerLinks.js';
import type { PlacementPolicy } from '../driver/placement.js';
import type { PrefetchPolicy } from '../driver/prefetchPolicy.js';
import type { InvalidationMaker, SvmVm } from '../driver/svmVm.js';
import type { EvictionPolicy } from '../driver/vram/evictionPolicy.js';
import { VramUse } from '../driver/vram/vramUse.js';
import { VramManager } from '../driver/vramManager.js';
import { GpuSvmDma } from '../drm/gpusvm/getPages.js';
import { ScanMm } from '../drm/gpusvm/scanMm.js';
import { ZddTable } from '../drm/pagemap/devmem.js';
import { PagemapUnhold } from '../drm/pagemap/pagemapHold.js';
import { PagemapMigrate } from '../drm/pagemap/pagemapMigrate.js';
import type { AccessBracket } from '../memory/accessBracket.js';
import type { CallPayload } from '../memory/callPayload.js';
import type { FolioTable } from '../memory/folios.js';
import { PageArrayPool, type PageArrays } from '../memory/pageArrays.js';
import type { PhysicalMemory } from '../memory/physicalMemory.js';
import type { TableArena } from '../memory/radixTable.js';
import { ZoneKind } from '../memory/zone.js';
import { Kernel, type MmCosts, ThpMode } from '../mm/kernel.js';
import { NO_OWNER, type PagemapOwner } from '../mm/migrate/devPagemap.js';
import { MigrateDevice } from '../mm/migrate/migrateDevice.js';
import { MigrateUnmap } from '../mm/migrate/migrateUnmap.js';
import { MigrateVma } from '../mm/migrate/migrateVma.js';
import { Hmm } from '../mm/mirror/hmm.js';
import { MmCalls } from '../mm/mmCalls.js';
import type { Mm } from '../mm/process/mm.js';
import { Rmap } from '../mm/rmap/rmap.js';
import type { ArgsOf } from '../sim/message.js';
import type { Port } from '../sim/port.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import { type ActorId, actorId } from '../sim/task.js';
import { CpuService } from './cpuService.js';
import { DeviceCalls } from './deviceCalls.js';
import { FileTable } from './fileTable.js';
import { IoctlTable } from './ioctl.js';
import { MemoryService } from './memoryService.js';
import { CpuMessage, DeviceMessage } from './messages.js';
import { MirrorService } from './mirrorService.js';
import { type DriverMaker, type OwnDriver, serveFaultBy } from './ownDriver.js';
import { Pipes } from './pipes.js';
import { type OpenFiles, ProcessService } from './processService.js';
import { ProcessTable } from './processTable.js';
import { RemoteGpu } from './remoteGpu.js';
import { registerResidency } from './residency.js';
import { SvmService } from './svmService.js';
import { ViewService } from './viewService.js';
import { VmBindService } from './vmBindService.js';
import { VramService } from './vramService.js';

/** @kernel xe_device.atomic_svm_timeslice_ms */
const ATOMIC_TIMESLICE_NS = 5_000_000;

export const COORDINATOR: ActorId = actorId(0);

export interface CoordinatorConfig {
  readonly layout: MirrorLayout;
  /** Devices that reach one another own pages together, as far as all of a group do. */
  readonly interconnect: PeerLinks;
  readonly chunkPages: readonly number[];
  readonly notifierPages: number;
  readonly timesliceNs: number;
  /** Where an atomic needs the pages on the device; 5 ms unless told. */
  readonly atomicTimesliceNs?: number;
  /** Smaller ranges are not migrated; 1 unless told. */
  readonly migratePagesMin?: number;
  /** Of a prefetch, ranges side by side migrate together, up to so many pages; one by one unless told. */
  readonly togetherPages?: number;
  /** What the devices can do atomically in RAM; nothing unless told. */
  readonly systemAtomics?: SystemAtomics;
  readonly checkPagesThreshold: number;
  readonly pagesPerStep: number;
  /** Device memory is cleared before pages migrate to it; not unless told. */
  readonly clearVram?: boolean;
  readonly costs: MmCosts;
  /** The driver's own time on a GPU fault; none unless told. */
  readonly pathCosts?: FaultPathCosts;
  /** Which areas get huge pages; those that asked for them unless told. */
  readonly thp?: ThpMode;
  /** Huge pages that are set aside for hugetlb mappings; none unless told. */
  readonly hugetlbPages?: number;
  /** Unless false, each device mirrors all addresses from the start; otherwise programs bind what they want. */
  readonly mirrorAll?: boolean;
  /** The memories of the devices belong to test devices, which need no actor; the reference driver has none then. */
  readonly mirror?: MirrorDriverConfig;
}

/** What the Coordinator is given; it alone writes these, but for the memory itself and the brackets. */
export interface CoordinatorWorld {
  readonly sched: Scheduler;
  readonly memory: PhysicalMemory;
  readonly folios: FolioTable;
  readonly tables: TableArena;
  readonly brackets: readonly AccessBracket[];
  readonly arrays: PageArrays;
  readonly iommus: readonly Iommu[];
  readonly policy: PlacementPolicy;
  /** What leaves a device's memory when it is full; what was not used for longest unless told. */
  readonly eviction?: EvictionPolicy;
  /** How translations of mirrors go; the reference driver's way unless told. */
  readonly invalidation?: InvalidationMaker;
  /** Drivers beside the reference driver. */
  readonly drivers?: readonly DriverMaker[];
  /** What devices are given before they ask; nothing unless told. */
  readonly prefetch?: PrefetchPolicy;
  /** By CPU thread; none where programs make no driver calls. */
  readonly payloads?: readonly CallPayload[];
}

export class Coordinator {
  readonly kernel: Kernel;
  readonly processes: ProcessTable;
  /** Of the first process, which the reference driver mirrors. */
  readonly mm: Mm;
  /** Drivers register what they answer here. */
  readonly ioctls = new IoctlTable();
  readonly calls: MmCalls;
  /** What programs have opened. */
  readonly files: FileTable;
  readonly zdds = new ZddTable();
  readonly gpus: readonly GpuHandle[];
  readonly mirrors: MirrorTable;
  readonly membership: DeviceMembership;
  readonly arrays: PageArrayPool;
  readonly vram: VramManager;
  readonly migrate: PagemapMigrate;
  readonly hmm: Hmm;
  readonly dma: GpuSvmDma;
  readonly rmap: Rmap;
  /** The unmapping half of every migration by the reference driver. */
  readonly migrateUnmap: MigrateUnmap;
  /** For when a device is to go while others go on. */
  readonly gpuUnbind: GpuUnbind;
  readonly gpuFaults: GpuFaultHandler;
  readonly prefetches: RangePrefetch;
  readonly spanPrefetches: SpanPrefetch;
  private readonly deviceCalls: DeviceCalls;
  private readonly vmBind: VmBindService;
  /** Null where the devices are those of the reference driver. */
  readonly mirror: MirrorDriver | null = null;
  /** Where the devices are those of the reference driver: what processes see through them. */
  readonly gpuViews: GpuViews;
  /** Of the user's own, in the order in which they were given. */
  readonly ownDrivers: readonly OwnDriver[];
  private readonly processCalls: ProcessService;
  private readonly pipes: Pipes;
  private readonly remotes: readonly RemoteGpu[];
  /** One for each CPU thread. Kept so that all state of the machine can be reached from here: a machine that is taken back to its beginning is found so. */
  private readonly services: CpuService[] = [];

  constructor(
    readonly config: CoordinatorConfig,
    world: CoordinatorWorld,
    devicePorts: readonly Port[],
    cpuPorts: readonly Port[],
  ) {
    const { sched } = world;
    this.kernel = makeKernel(config, world);
    this.processes = new ProcessTable(this.kernel);
    this.mm = this.processes.create();
    this.calls = new MmCalls(this.kernel);
    this.files = new FileTable(this.kernel);
    this.pipes = new Pipes(sched);
    this.serveFiles();
    this.hmm = new Hmm(this.kernel, this.calls.faults);
    this.rmap = new Rmap(this.kernel);
    this.migrateUnmap = new MigrateUnmap(this.kernel, this.rmap);
    this.arrays = new PageArrayPool(sched, world.arrays);
    this.migrate = this.makeMigration();
    this.vram = this.makeVram(world.eviction);
    this.gpuUnbind = new GpuUnbind(this.kernel, this.vram);
    this.remotes = devicePorts.map((port) => new RemoteGpu(port));
    this.gpus = this.probeGpus(world.iommus);
    this.dma = new GpuSvmDma(this.kernel, this.hmm, this.zdds);
    this.mirrors = this.makeMirrors(world.invalidation);
    this.membership = new DeviceMembership(this.mirrors, this.vram, () =>
      this.gpuFaults.parts.migration.settle(),
    );
    this.gpuFaults = this.makeFaultHandler(world);
    this.prefetches = new RangePrefetch(
      this.gpuFaults,
      this.homeOf(ZoneKind.DevicePrivate, ZoneKind.DeviceCoherent),
    );
    this.spanPrefetches = new SpanPrefetch(this.gpuFaults, config.togetherPages ?? 0);
    if (world.prefetch !== undefined) this.prefetchAfterFaults(world.prefetch);
    this.deviceCalls = this.makeDeviceCalls();
    this.serveAttributes(world.policy);
    this.mirrors.open(this.mm);
    this.vmBind = this.serveBinding(world.memory);
    this.gpuViews = new GpuViews(this.kernel, this.hmm, this.calls);
    if (config.mirror !== undefined) this.mirror = new MirrorDriver(this.kernel, this.calls, config.mirror);
    this.ownDrivers = this.makeDrivers(world.drivers ?? []);
    this.processCalls = this.serveProcesses();
    devicePorts.forEach((port, i) => {
      this.serveDevice(port, this.gpus[i]);
    });
    cpuPorts.forEach((port, i) => {
      this.serveCpu(port, i, world.payloads?.[i] ?? null, world.brackets[i]);
    });
  }

  /** Pipes, what is where, and files: calls that concern no device. */
  private serveFiles(): void {
    this.pipes.register(this.ioctls);
    registerResidency(this.ioctls, this.kernel);
    this.files.register(this.ioctls);
  }

  /** The two ways to migrate, by addresses and by frames, with what both share. */
  private makeMigration(): PagemapMigrate {
    const { kernel, migrateUnmap, rmap } = this;
    const migrateVma = new MigrateVma(kernel, migrateUnmap, rmap);
    const migrateDevice = new MigrateDevice(kernel, migrateUnmap);
    return new PagemapMigrate(kernel, migrateVma, migrateDevice, this.zdds, this.arrays);
  }

  private makeVram(eviction: EvictionPolicy | undefined): VramManager {
    const { config, kernel } = this;
    const unhold = new PagemapUnhold(kernel.sched, COORDINATOR);
    const linked = hasInterconnect(config.interconnect);
    const vram = new VramManager(kernel, this.migrate, this.arrays, unhold, linked, eviction);
    vram.clearsMemory = config.clearVram ?? false;
    // Asked when pages migrate, by when the mirrors are there.
    const granularityAt = (mm: Mm, page: Vpn): number | null =>
      this.mirrors.attributesOf(mm)?.shared.get(page)?.granularity ?? null;
    vram.granularityAt = granularityAt;
    return vram;
  }

  /** The devices as the driver finds them, each with the memory that it offers. */
  private probeGpus(iommus: readonly Iommu[]): GpuHandle[] {
    const { systemAtomics, interconnect } = this.config;
    const gpus = this.remotes.map(
      (remote, i) => new GpuHandle(i, remote, new IommuMapper(iommus[i], i), systemAtomics, interconnect),
    );
    for (const gpu of gpus) this.vram.pagemaps.probe(gpu);
    return gpus;
  }

  private makeMirrors(invalidation: InvalidationMaker | undefined): MirrorTable {
    const { kernel, gpus, hmm, dma, arrays, vram } = this;
    const coherentHome = this.homeOf(ZoneKind.DeviceCoherent);
    const config = {
      ...this.config,
      ...(invalidation === undefined ? {} : { invalidation }),
      ...(coherentHome.isNeeded ? { coherentHome } : {}),
    };
    return new MirrorTable(kernel, config, gpus, COORDINATOR, hmm, dma, arrays, vram.moves);
  }

  /** For who wants pages of such memory in RAM though no CPU fault brings them there. */
  private homeOf(...kinds: ZoneKind[]): AllocationHome {
    return new AllocationHome(this.kernel, this.migrate, (devmem) => this.vram.bringHome(devmem), kinds);
  }

  private makeFaultHandler({ policy, folios }: CoordinatorWorld): GpuFaultHandler {
    const { kernel, config, gpus, mirrors } = this;
    const parts = {
      placement: this.makePlacement(policy),
      migration: new RangeMigration(kernel, new ScanMm(kernel, this.hmm, this.zdds)),
      binding: new RangeBinding(this.arrays, new VramUse(folios, this.zdds)),
      recovery: new FaultRecovery(kernel),
    };
    const faultConfig = { ...config, atomicTimesliceNs: config.atomicTimesliceNs ?? ATOMIC_TIMESLICE_NS };
    return new GpuFaultHandler(kernel, parts, faultConfig, {
      membersOf: ({ mm }) => gpus.filter((gpu) => mirrors.has(mm, gpu)).map(({ index }) => index),
      linked: this.sharesOwner,
    });
  }

  private makePlacement(policy: PlacementPolicy): RangePlacement {
    return new RangePlacement({
      fallback: policy,
      linked: this.sharesOwner,
      deviceOf: (vm, index) => {
        const gpu = this.gpus[index];
        return gpu !== undefined && this.mirrors.has(vm.mm, gpu) ? gpu : null;
      },
      migratePagesMin: this.config.migratePagesMin ?? 1,
    });
  }

  private prefetchAfterFaults(policy: PrefetchPolicy): void {
    const ahead = new PrefetchAhead(this.kernel, COORDINATOR, this.prefetches, policy);
    this.gpuFaults.onServed = (fault) => ahead.after(fault);
  }

  private makeDeviceCalls(): DeviceCalls {
    const { gpus, mirrors, membership, prefetches, spanPrefetches, gpuUnbind } = this;
    const { sched } = this.kernel;
    const { chunkPages, togetherPages = 0 } = this.config;
    const wholePages = Math.max(chunkPages[0], togetherPages);
    const parts = { gpus, mirrors, membership, prefetches, spanPrefetches, gpuUnbind };
    return new DeviceCalls({ sched, actor: COORDINATOR, ...parts, wholePages });
  }

  /** What programs say about their memory, and ask of devices' memory. */
  private serveAttributes(policy: PlacementPolicy): void {
    const { kernel, gpus, mirrors, ioctls } = this;
    const prefetches = { ranges: this.prefetches, spans: this.spanPrefetches };
    const attributes = new AttributeDriver(gpus, mirrors, prefetches, this.sharesOwner);
    new SvmService(kernel, gpus, attributes, policy).register(ioctls);
    new VramService(gpus, this.vram).register(ioctls);
  }

  /** What programs bind by hand. */
  private serveBinding(memory: PhysicalMemory): VmBindService {
    const { kernel, gpus, vram } = this;
    const vmOf = (mm: Mm, gpu: GpuHandle): Steps<SvmVm | null> => this.acquireVm(mm, gpu);
    const isAlive = (mm: Mm): boolean => this.isAlive(mm);
    const service = new VmBindService({ sched: kernel.sched, gpus, isAlive, vmOf, vram, memory });
    service.register(this.ioctls);
    return service;
  }

  /** How processes begin and end, and what is closed for them, in this order. */
  private serveProcesses(): ProcessService {
    const memoryCalls = new MemoryService(this.kernel, this.calls, COORDINATOR, (mm) => this.isAlive(mm));
    memoryCalls.register(this.ioctls);
    // Commands of devices may wait for the userfaults that the first of them ends.
    const others = [...this.serveMirror(), ...this.ownDrivers];
    const files = [memoryCalls, ...others, this.mirrorFiles(), this.vmBind];
    const service = new ProcessService(this.processes, this.calls, files);
    service.register(this.ioctls);
    this.kernel.leaveMm = (mm) => {
      for (const thread of this.services) thread.leave(mm);
    };
    return service;
  }

  /** Devices by number: each uses the other's device-private pages as they are. A device that does not exist has no memory to share, nor has one that was let go of. */
  private readonly sharesOwner = (a: number, b: number): boolean => {
    const [one, other] = [this.gpus[a], this.gpus[b]];
    if (one === undefined || other === undefined) return false;
    return one === other || (one.owner !== NO_OWNER && one.owner === other.owner);
  };

  /** N:1: one per process that is mirrored. 1:1: one per process and device, those of a process in the order of the devices. */
  get vms(): readonly SvmVm[] {
    return this.mirrors.vms;
  }

  /** The mirror that a device's faults in a space belong to. The process must be mirrored. */
  vmOf(gpu: GpuHandle, space: SpaceId = FIRST_SPACE): SvmVm {
    const vm = this.mirrors.find(gpu, space);
    assert(vm !== null, () => `gpu${gpu.index} does not mirror space ${space}`);
    return vm;
  }

  private isAlive(mm: Mm): boolean {
    return this.processes.find(mm.id) === mm;
  }

  /** The mirror through which a device serves the calls of a process, opened by the first of them; null when the process has ended or the device is no member. @kernel xe_vm_lookup, kfd_process_device_init_vm */
  *acquireVm(mm: Mm, gpu: GpuHandle): Steps<SvmVm | null> {
    // It has ended, though others may still use its memory: nobody would close what it opens now.
    if (!this.isAlive(mm)) return null;
    if (!this.mirrors.isOpen(mm)) this.mirrors.open(mm);
    return this.mirrors.memberVm(mm, gpu);
  }

  /** Whose device-private pages a device may use as they are. */
  ownerOf(gpu: GpuHandle): PagemapOwner {
    return gpu.owner;
  }

  /** Ends everything: mirrors first, then the address space; afterwards no page is in use. */
  *tearDown(): Steps<void> {
    yield* this.mirrors.closeAll();
    this.vmBind.close();
    for (const mm of this.processes.all()) {
      yield* this.processCalls.exit(mm);
      assert(mm.users === 0, () => `somebody still uses mm ${mm.id}`);
    }
    this.files.closeAll();
  }

  /** A process that has bound something has its mirrors open. */
  private mirrorFiles(): OpenFiles {
    return { closeAll: (mm) => this.mirrors.close(mm) };
  }

  private makeViewService(isAlive: (mm: Mm) => boolean): ViewService {
    const { gpuViews: views, gpus, mirrors } = this;
    const isBound = (mm: Mm, gpu: GpuHandle): boolean =>
      mirrors.memberVm(mm, gpu)?.deviceVm(gpu).hasMirror() === true;
    return new ViewService({ views, gpus, isBound, isAlive });
  }

  /** What processes may have open. */
  private serveMirror(): OpenFiles[] {
    const isAlive = (mm: Mm): boolean => this.isAlive(mm);
    const service =
      this.mirror === null ? this.makeViewService(isAlive) : new MirrorService(this.mirror, isAlive);
    service.register(this.ioctls);
    return [service];
  }

  /** Those of the user's own. */
  private makeDrivers(makers: readonly DriverMaker[]): OwnDriver[] {
    const { kernel, calls, hmm, gpus } = this;
    return makers.map((make) => {
      const driver = make({ kernel, calls, hmm, gpus });
      driver.register(this.ioctls);
      return driver;
    });
  }

  private serveDevice(port: Port, gpu: GpuHandle): void {
    port.serve(DeviceMessage.fault, (args) => this.gpuFault(gpu, args));
  }

  private *gpuFault(
    gpu: GpuHandle,
    { page, write, kind }: ArgsOf<typeof DeviceMessage.fault>,
  ): Steps<{ errno: Errno }> {
    const { gpuFaults, mirrors } = this;
    const vm = mirrors.find(gpu, spaceOf(page));
    // A process that is mirrored, but not by this device any more.
    if (vm === null) return { errno: mirrors.hasSpace(spaceOf(page)) ? Errno.ENODEV : Errno.ENOENT };
    const fault = { vm, gpu, page: pageInSpace(page), write: write !== 0, kind };
    const byReference = (): Steps<Errno> => gpuFaults.handle(vm, gpu, fault.page, fault.write, kind);
    if (this.ownDrivers.length === 0) return { errno: yield* byReference() };
    return { errno: yield* serveFaultBy(this.ownDrivers, fault, byReference) };
  }

  private serveCpu(port: Port, thread: number, payload: CallPayload | null, bracket: AccessBracket): void {
    const { processes, calls, ioctls, files } = this;
    const service = new CpuService(thread, processes, calls, ioctls, files, payload, bracket);
    this.services.push(service);
    service.serve(port);
    this.deviceCalls.serve(port, service);
    port.serve(CpuMessage.launch, (request) => this.launch(service.process, request));
  }

  private *launch(
    mm: Mm,
    request: { device: number; workload: number; phase: number; a: number; b: number },
  ): Steps<{ errno: Errno }> {
    const { device, workload, phase, a, b } = request;
    const remote = this.remotes[device];
    const vm = remote === undefined ? null : this.mirrors.memberVm(mm, this.gpus[device]);
    if (vm === null) return { errno: Errno.ENODEV };
    yield* vm.deviceVm(this.gpus[device]).submit();
    // It may have left meanwhile.
    if (this.mirrors.memberVm(mm, this.gpus[device]) !== vm) return { errno: Errno.ENODEV };
    this.kernel.sched.becomeRelay();
    return { errno: yield* remote.launch(vm.space, workload, phase, a, b) };
  }
}

/** Huge pages are set aside before anything else takes memory. */
function makeKernel(config: CoordinatorConfig, world: CoordinatorWorld): Kernel {
  const { sched, memory, folios, tables, brackets } = world;
  const kernel = new Kernel(sched, memory, folios, tables, brackets, config.costs, config.pagesPerStep);
  kernel.thp = config.thp ?? ThpMode.Madvise;
  const wanted = config.hugetlbPages ?? 0;
  const got = kernel.hugetlb.resize(wanted);
  assert(got === wanted, () => `RAM has room for ${got} of ${wanted} hugetlb pages`);
  return kernel;
}
