/** How long a device lives: who keeps it and its driver's module, whether it is still plugged in, and what is undone when it goes. */

import { assert } from '../base/assert.js';
import { Completion } from '../sim/completion.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';

/** Counts who holds a device and who holds the module of its driver. @kernel drm_device, drm_driver, module */
export class DrmDeviceLife {
  private deviceRefs = 1;
  private moduleRefs = 1;
  private sections = 0;
  private unplugged = false;
  private drained: Completion | null = null;
  private readonly actions: (() => void)[] = [];

  constructor(
    /** For reports. */
    readonly name: string,
  ) {}

  /** Of the device; the driver that is bound to it has one. */
  get references(): number {
    return this.deviceRefs;
  }

  /** Of the module; the device that its driver is bound to has one. */
  get moduleReferences(): number {
    return this.moduleRefs;
  }

  get isUnplugged(): boolean {
    return this.unplugged;
  }

  /** One more reference to the device, which must not be gone. @kernel drm_dev_get */
  get(): void {
    assert(this.deviceRefs > 0, () => `${this.name} is gone`);
    this.deviceRefs++;
  }

  /** Drops a reference to the device. @kernel drm_dev_put */
  put(): void {
    assert(this.deviceRefs > 0, () => `${this.name} is put once too often`);
    this.deviceRefs--;
  }

  /** One more reference to the module, which must not be gone. @kernel try_module_get */
  moduleGet(): void {
    assert(this.moduleRefs > 0, () => `the module of ${this.name} is gone`);
    this.moduleRefs++;
  }

  /** Drops a reference to the module. @kernel module_put */
  modulePut(): void {
    assert(this.moduleRefs > 0, () => `the module of ${this.name} is put once too often`);
    this.moduleRefs--;
  }

  /** Begins a section in which the device stays plugged in; false once it is not. @kernel drm_dev_enter */
  enter(): boolean {
    if (this.unplugged) return false;
    this.sections++;
    return true;
  }

  /** Ends a section that {@link enter} began; whoever unplugs waits for the last one. @kernel drm_dev_exit */
  exit(): void {
    assert(this.sections > 0, () => `${this.name}: the end of a section that nobody began`);
    this.sections--;
    if (this.sections === 0) this.drained?.completeAll();
  }

  /** No section begins any more; returns when the last one has ended. @kernel drm_dev_unplug */
  *unplug(sched: Scheduler): Steps<void> {
    this.unplugged = true;
    this.drained ??= new Completion(sched, `those who use ${this.name}`);
    if (this.sections === 0) this.drained.completeAll();
    yield* this.drained.wait();
  }

  /** Something to be done when the driver lets go of the device. @kernel devm_add_action_or_reset */
  addAction(action: () => void): void {
    this.actions.push(action);
  }

  /** The driver lets go of the device: the last action that was added comes first. @kernel devres_release_all */
  release(): void {
    while (this.actions.length > 0) this.actions.pop()?.();
    this.modulePut();
    this.put();
  }
}
