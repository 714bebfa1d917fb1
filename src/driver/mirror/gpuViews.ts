/** What GPUs of the reference driver see of address spaces, by the commands of a test device: each has a view beside its own page tables. */

import { Errno } from '../../base/errno.js';
import type { Zone } from '../../memory/zone.js';
import type { Kernel } from '../../mm/kernel.js';
import type { PagemapOwner } from '../../mm/migrate/devPagemap.js';
import type { Hmm } from '../../mm/mirror/hmm.js';
import type { MmCalls } from '../../mm/mmCalls.js';
import type { Mm } from '../../mm/process/mm.js';
import type { Steps } from '../../sim/steps.js';
import type { GpuHandle } from '../gpuHandle.js';
import { MirrorAccess } from './mirrorAccess.js';
import { MirrorFault } from './mirrorFault.js';
import { MirrorView, type ViewingDevice } from './mirrorView.js';
import { ViewCommands } from './viewCommands.js';

class ViewingGpu implements ViewingDevice {
  readonly name: string;
  readonly index: number;
  readonly zone: Zone;

  constructor(
    readonly kernel: Kernel,
    private readonly gpu: GpuHandle,
  ) {
    this.index = gpu.index;
    this.name = `gpu${gpu.index}`;
    this.zone = kernel.memory.layout.vramOf(gpu.index);
  }

  /** The one of the group of linked devices that it is in just now. */
  get owner(): PagemapOwner {
    return this.gpu.owner;
  }
}

export class GpuViews {
  readonly commands: ViewCommands;
  /** Made at the first command of a process for a device; most processes give none. */
  private readonly open: MirrorView[] = [];
  private nextId = 1;

  constructor(
    private readonly kernel: Kernel,
    hmm: Hmm,
    calls: Pick<MmCalls, 'exclusive' | 'exit'>,
  ) {
    const faults = new MirrorFault(hmm, calls.exit);
    this.commands = new ViewCommands(kernel, new MirrorAccess(faults), faults, calls);
  }

  get views(): readonly MirrorView[] {
    return this.open;
  }

  /** The view of a device, opened where there is none yet. Errors: those of `NotifierSubscriptions.insert`. */
  *viewOf(mm: Mm, gpu: GpuHandle): Steps<MirrorView | Errno> {
    const known = this.find(mm, gpu);
    if (known !== null) return known;
    const view = new MirrorView(this.nextId++, new ViewingGpu(this.kernel, gpu), mm);
    const errno = yield* mm.notifiers.insert(view.notifier);
    if (errno !== Errno.OK) return errno;
    const sooner = this.find(mm, gpu);
    if (sooner === null) this.open.push(view);
    else yield* mm.notifiers.remove(view.notifier);
    return sooner ?? view;
  }

  /** What it held exclusively is no longer its; nothing where there is no view. */
  *close(mm: Mm, gpu: GpuHandle): Steps<void> {
    const view = this.find(mm, gpu);
    if (view !== null) yield* this.drop(view);
  }

  *closeAll(mm: Mm): Steps<void> {
    for (const view of this.open.filter((one) => one.mm === mm)) yield* this.drop(view);
  }

  private *drop(view: MirrorView): Steps<void> {
    this.open.splice(this.open.indexOf(view), 1);
    yield* view.mm.notifiers.remove(view.notifier);
    view.table.clear();
  }

  private find(mm: Mm, gpu: GpuHandle): MirrorView | null {
    return this.open.find((view) => view.mm === mm && view.device.index === gpu.index) ?? null;
  }
}
