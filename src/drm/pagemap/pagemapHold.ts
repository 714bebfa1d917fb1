/** What keeps a pagemap's device and its module alive, and how it is let go of: later, by a task of its own. */

import { assert } from '../../base/assert.js';
import type { Scheduler } from '../../sim/scheduler.js';
import type { Steps } from '../../sim/steps.js';
import type { ActorId } from '../../sim/task.js';
import type { DrmDevice } from '../drmDevice.js';

/** One reference on a device and one on its module. @kernel drm_pagemap_dev_hold */
export class PagemapHold {
  released = false;

  constructor(readonly device: DrmDevice) {
    device.life.moduleGet();
    device.life.get();
  }

  release(): void {
    assert(!this.released, 'a hold on a device is released twice');
    this.released = true;
    this.device.life.put();
    this.device.life.modulePut();
  }
}

/**
 * The last reference to a pagemap may go in code of the very module that it keeps, and where nothing may sleep; so the hold is handed to this
 * list, which belongs to nobody's driver. @kernel drm_pagemap_unhold_list
 */
export class PagemapUnhold {
  /** Holds in use and holds that wait to be released. */
  readonly live = new Set<PagemapHold>();
  private readonly list: PagemapHold[] = [];
  private isScheduled = false;

  constructor(
    private readonly sched: Scheduler,
    private readonly actor: ActorId,
    /** Whether an allocation must fail. */
    private readonly allocationFails: () => boolean = () => false,
  ) {}

  /** Holds that wait to be released. */
  get pending(): number {
    return this.list.length;
  }

  /** Null: no memory. @kernel drm_pagemap_dev_hold */
  hold(device: DrmDevice): PagemapHold | null {
    if (this.allocationFails()) return null;
    const hold = new PagemapHold(device);
    this.live.add(hold);
    return hold;
  }

  /** Never sleeps. @kernel llist_add, schedule_work */
  add(hold: PagemapHold): void {
    this.list.push(hold);
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.sched.spawn(this.actor, 'release of pagemap holds', this.work());
  }

  /** Lets go of all devices and modules that wait for it. @kernel drm_pagemap_dev_unhold_work */
  *work(): Steps<void> {
    this.isScheduled = false;
    this.flush();
  }

  /** What the work would do, now. @kernel drm_pagemap_exit */
  flush(): void {
    for (const hold of this.list.splice(0)) {
      hold.release();
      this.live.delete(hold);
    }
  }
}
