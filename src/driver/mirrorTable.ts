/** The driver's mirrors of all processes: one per process under N:1, one per process and device under 1:1. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { TASK_SIZE_PAGES, type Vpn } from '../base/units.js';
import { SPACES_MAX, type SpaceId, spaceId } from '../device/gpuSpace.js';
import type { GpuSvmDma } from '../drm/gpusvm/getPages.js';
import type { PageArrayPool } from '../memory/pageArrays.js';
import type { Kernel } from '../mm/kernel.js';
import type { Hmm } from '../mm/mirror/hmm.js';
import type { Mm } from '../mm/process/mm.js';
import { LockClass } from '../sim/lockOrder.js';
import { Mutex } from '../sim/mutex.js';
import type { Steps } from '../sim/steps.js';
import type { ActorId } from '../sim/task.js';
import type { AllocationHome } from './allocationHome.js';
import { ProcessAttributes } from './attributes/processAttributes.js';
import type { GpuHandle } from './gpuHandle.js';
import { type InvalidationMaker, SvmVm } from './svmVm.js';
import type { BoMoves } from './vram/boMoves.js';

/** `n1-shared-fault`: as `n1`, and one HMM fault gets a range's pages for all devices. */
export type MirrorLayout = 'n1' | 'n1-shared-fault' | 'one-to-one';

export interface MirrorConfig {
  readonly layout: MirrorLayout;
  readonly notifierPages: number;
  readonly chunkPages: readonly number[];
  /** Unless false, each device mirrors all addresses from the start; otherwise programs bind what they want. */
  readonly mirrorAll?: boolean;
  /** How translations of its mirrors go; the driver's own way unless told. */
  readonly invalidation?: InvalidationMaker;
  /** For devices with memory that CPUs reach. */
  readonly coherentHome?: AllocationHome;
}

const membershipLockClass = new LockClass('membership of a device');

export class MirrorTable {
  private readonly open_: SvmVm[] = [];
  /** The same by address space, for faults; with an entry for each that is taken. */
  private readonly spaces = new Map<SpaceId, SvmVm[]>();
  private readonly spaceNumbers = new Map<Mm, SpaceId>();
  private readonly said = new Map<Mm, ProcessAttributes>();
  /** Of each device, where it has mirrors of its own: one that joins waits until the mirror that it has left is gone. */
  private readonly changing: readonly Mutex[];

  constructor(
    private readonly kernel: Kernel,
    private readonly config: MirrorConfig,
    private readonly gpus: readonly GpuHandle[],
    private readonly actor: ActorId,
    private readonly hmm: Hmm,
    private readonly dma: GpuSvmDma,
    private readonly arrays: PageArrayPool,
    private readonly moves: BoMoves,
  ) {
    this.changing = gpus.map(
      ({ index }) => new Mutex(kernel.sched, `membership of gpu${index}`, membershipLockClass),
    );
  }

  /** In the order in which they were opened. */
  get vms(): readonly SvmVm[] {
    return this.open_;
  }

  /** Every device can use the process's addresses from now on. A process has the same address space number on all devices. @kernel xe_vm_create */
  open(mm: Mm): void {
    assert(!this.isOpen(mm), () => `mm ${mm.id} is mirrored already`);
    const space = this.takeSpace(mm);
    this.said.set(mm, new ProcessAttributes(mm, this.gpus.length));
    const groups = this.isShared ? [this.gpus] : this.gpus.map((gpu) => [gpu]);
    groups.forEach((gpus, i) => {
      this.add(mm, space, this.nameOf(mm, i), gpus);
    });
  }

  /** One mirror for all devices of a process. */
  get isShared(): boolean {
    return this.config.layout !== 'one-to-one';
  }

  private nameOf(mm: Mm, device: number): string {
    const suffix = mm.id === 1 ? '' : ` of mm ${mm.id}`;
    return this.isShared ? `svm${suffix}` : `svm${device}${suffix}`;
  }

  /** Devices can join; at the moment there may be none. */
  isOpen(mm: Mm): boolean {
    return this.said.has(mm);
  }

  /** A process is mirrored under this number, by whatever devices. */
  hasSpace(space: SpaceId): boolean {
    for (const mm of this.said.keys()) if (this.spaceOf(mm) === space) return true;
    return false;
  }

  /** Under which all devices know the process's addresses; null when it is not mirrored. */
  spaceOf(mm: Mm): SpaceId | null {
    return this.spaceNumbers.get(mm) ?? null;
  }

  /** The one of the process's own number where it is free, or the next: as long as possible none is used again. @kernel xa_alloc_cyclic */
  private takeSpace(mm: Mm): SpaceId {
    assert(this.spaceNumbers.size < SPACES_MAX, 'no address space of a GPU is free');
    let space = spaceId((mm.id - 1) % SPACES_MAX);
    while (this.spaces.has(space)) space = spaceId((space + 1) % SPACES_MAX);
    this.spaces.set(space, []);
    this.spaceNumbers.set(mm, space);
    return space;
  }

  /** Nobody has translations in it any more. */
  private giveSpaceBack(mm: Mm): void {
    const space = this.spaceOf(mm);
    if (space === null) return;
    this.spaceNumbers.delete(mm);
    this.spaces.delete(space);
  }

  /** The device mirrors the process's addresses. */
  has(mm: Mm, gpu: GpuHandle): boolean {
    return this.memberVm(mm, gpu) !== null;
  }

  /** The mirror through which a device uses a process's addresses; null when it is no member. */
  memberVm(mm: Mm, gpu: GpuHandle): SvmVm | null {
    const space = this.spaceOf(mm);
    return space === null ? null : this.find(gpu, space);
  }

  /** N:1: the device joins the mirror of the others. 1:1: it gets one of its own. Errors: those of {@link Membership.join}. */
  join(mm: Mm, gpu: GpuHandle): Steps<Errno> {
    return this.inTurn(gpu, () => this.admit(mm, gpu));
  }

  /** N:1: the device leaves the mirror of the others. 1:1: its own is closed. Errors: those of {@link Membership.leave}. */
  leave(mm: Mm, gpu: GpuHandle): Steps<Errno> {
    return this.inTurn(gpu, () => this.expel(mm, gpu));
  }

  /** A mirror that all share has the vm lock for this. */
  private *inTurn(gpu: GpuHandle, change: () => Steps<Errno>): Steps<Errno> {
    if (this.isShared) return yield* change();
    const lock = this.changing[gpu.index];
    yield* lock.lock();
    const errno = yield* change();
    lock.unlock();
    return errno;
  }

  private *admit(mm: Mm, gpu: GpuHandle): Steps<Errno> {
    if (!this.isOpen(mm)) return Errno.ENOENT;
    if (this.has(mm, gpu)) return Errno.EEXIST;
    if (!this.isShared) {
      const space = this.spaceOf(mm);
      assert(space !== null, () => `mm ${mm.id} is mirrored without an address space`);
      this.add(mm, space, this.nameOf(mm, gpu.index), [gpu]);
      return Errno.OK;
    }
    const [vm] = this.of(mm);
    return yield* vm.membership.join(gpu, this.config.mirrorAll ?? true);
  }

  private *expel(mm: Mm, gpu: GpuHandle): Steps<Errno> {
    if (!this.isOpen(mm)) return Errno.ENOENT;
    const vm = this.memberVm(mm, gpu);
    if (vm === null) return Errno.ENODEV;
    const errno = yield* vm.membership.leave(gpu);
    if (errno === Errno.OK && !this.isShared) yield* this.closeVm(vm);
    return errno;
  }

  /** What a mirrored process has said about its memory. */
  attributesOf(mm: Mm): ProcessAttributes | null {
    return this.said.get(mm) ?? null;
  }

  /** The mirror that a device's faults in a space belong to; null when the process is not mirrored. */
  find(gpu: GpuHandle, space: SpaceId): SvmVm | null {
    return this.spaces.get(space)?.find((vm) => vm.gpus.includes(gpu)) ?? null;
  }

  of(mm: Mm): SvmVm[] {
    const space = this.spaceOf(mm);
    return space === null ? [] : [...(this.spaces.get(space) ?? [])];
  }

  /** No device can reach the process's memory afterwards. Also of a process that has ended, or that no device mirrors; locks: those of {@link SvmVm.close}. */
  *close(mm: Mm): Steps<void> {
    for (const vm of this.of(mm)) yield* this.closeVm(vm);
    yield* this.forget(mm);
    this.giveSpaceBack(mm);
  }

  /** Whoever has begun to end it takes it out of the lists, unless all ends. */
  private *closeVm(vm: SvmVm): Steps<void> {
    const isFirst = !vm.closed;
    yield* vm.close();
    if (!isFirst) return;
    removeFrom(this.open_, vm);
    removeFrom(this.spaces.get(vm.space) ?? [], vm);
  }

  /** The end of all, mirrors before processes: closed mirrors stay in the list, so that what they leave behind can be seen. */
  *closeAll(): Steps<void> {
    for (const vm of [...this.open_]) yield* vm.close();
    for (const mm of [...this.said.keys()]) yield* this.forget(mm);
  }

  private *forget(mm: Mm): Steps<void> {
    const said = this.said.get(mm);
    this.said.delete(mm);
    if (said !== undefined) yield* said.close();
  }

  private add(mm: Mm, space: SpaceId, name: string, gpus: readonly GpuHandle[]): void {
    const { notifierPages, chunkPages, invalidation, coherentHome } = this.config;
    const sharesFaults = this.config.layout === 'n1-shared-fault';
    const window = { start: 0 as Vpn, npages: TASK_SIZE_PAGES };
    const own = invalidation === undefined ? {} : { invalidation };
    const coherent = coherentHome === undefined ? {} : { coherentHome };
    const config = { name, ...window, notifierPages, chunkPages, sharesFaults, ...own, ...coherent };
    const { kernel, actor, hmm, dma, arrays, moves } = this;
    const vm = new SvmVm(kernel, mm, gpus, space, config, actor, hmm, dma, arrays, moves);
    if (this.config.mirrorAll ?? true) for (const deviceVm of vm.deviceVms.values()) deviceVm.mirrorAll();
    vm.attributes = this.attributesOf(mm);
    this.open_.push(vm);
    this.spaces.set(space, [...(this.spaces.get(space) ?? []), vm]);
    this.kernel.sched.spawnServant(this.actor, `garbage collector of ${name}`, () => vm.collector.run());
  }
}

function removeFrom(vms: SvmVm[], vm: SvmVm): void {
  const at = vms.indexOf(vm);
  if (at >= 0) vms.splice(at, 1);
}
