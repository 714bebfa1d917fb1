/** Locks any number of buffer objects together, in whatever order they are found, and begins again where that could be a deadlock. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import type { Steps } from '../../sim/steps.js';
import type { GemObject } from '../gpuvm/gemObject.js';
import { DmaResv } from './dmaResv.js';

/** Bits that a submission may be made with. @kernel drm_exec_flags */
export const DrmExecFlag = {
  /** To lock an object that is locked already is no error. @kernel DRM_EXEC_IGNORE_DUPLICATES */
  IgnoreDuplicates: 1,
} as const;

/** One for each submission; {@link fini} releases all. @kernel drm_exec */
export class DrmExec {
  private static tickets = 0;
  private readonly ticket = DrmExec.tickets++;
  private objects: GemObject[] = [];
  /** What another, elder submission has: to be locked first in the next try. */
  private contended: GemObject | null = null;
  /** The contended object, which the try began with. */
  private prelocked: GemObject | null = null;

  /** With {@link DrmExecFlag}, and a ticket younger than all before. @kernel drm_exec_init */
  constructor(private readonly flags = 0) {}

  /** In the order in which they were locked. @kernel drm_exec_for_each_locked_object */
  get lockedObjects(): readonly GemObject[] {
    return this.objects;
  }

  /**
   * Runs `lock` until it has gone through without meeting an elder submission; whatever it locked before is released in between, so that it
   * may not rely on what it saw. Returns its error. @kernel drm_exec_until_all_locked, drm_exec_retry_on_contention
   */
  *untilAllLocked(lock: () => Steps<Errno>): Steps<Errno> {
    for (;;) {
      const errno = yield* lock();
      if (this.contended === null) return errno;
      this.unlockAll();
      yield* this.lockContended();
    }
  }

  /** Errors: -EDEADLK, try again from the start; -EALREADY, unless duplicates are ignored. @kernel drm_exec_lock_obj */
  *lockObj(obj: GemObject): Steps<Errno> {
    if (this.prelocked === obj) {
      this.prelocked = null;
      return Errno.OK;
    }
    const errno = yield* resvOf(obj).lock(this.ticket, this.objects.length > 0);
    if (errno === Errno.EDEADLK) this.contended = obj.get();
    if (errno === Errno.OK) this.objects.push(obj.get());
    const ignored = errno === Errno.EALREADY && (this.flags & DrmExecFlag.IgnoreDuplicates) !== 0;
    return ignored ? Errno.OK : errno;
  }

  /** Locks, with room for fences. @kernel drm_exec_prepare_obj */
  *prepareObj(obj: GemObject, numFences: number): Steps<Errno> {
    const errno = yield* this.lockObj(obj);
    if (errno === Errno.OK) resvOf(obj).reserveFences(numFences);
    return errno;
  }

  /** Locks them one after another, each with room for fences; ends with the first error. @kernel drm_exec_prepare_array */
  *prepareArray(objects: readonly GemObject[], numFences: number): Steps<Errno> {
    for (const obj of objects) {
      const errno = yield* this.prepareObj(obj, numFences);
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  /** Releases one that is locked here, and its reference. @kernel drm_exec_unlock_obj */
  unlockObj(obj: GemObject): void {
    const index = this.objects.lastIndexOf(obj);
    assert(index >= 0, () => `${obj.name} is not locked here`);
    this.objects.splice(index, 1);
    resvOf(obj).unlock();
    obj.put();
  }

  /** Releases all that is locked, and what the last try ran into. @kernel drm_exec_fini */
  fini(): void {
    this.unlockAll();
    this.contended?.put();
    this.contended = null;
  }

  /** The last one first. @kernel drm_exec_unlock_all */
  private unlockAll(): void {
    this.prelocked = null;
    while (this.objects.length > 0) this.unlockObj(this.objects[this.objects.length - 1]);
  }

  /** Waits for what another submission had, and begins the next try with it. @kernel drm_exec_lock_contended */
  private *lockContended(): Steps<void> {
    const obj = this.contended;
    assert(obj !== null, 'nothing was contended');
    this.contended = null;
    yield* resvOf(obj).lockSlow(this.ticket);
    // The reference is that of the list from now on.
    this.objects.push(obj);
    this.prelocked = obj;
  }
}

function resvOf(obj: GemObject): DmaResv {
  assert(obj.resv instanceof DmaResv, () => `${obj.name} has no reservation that can be locked`);
  return obj.resv;
}
