/** What others invalidate while a migration to the device is under way: pages that it must not map, since they may be gone. */

import type { Vpn } from '../../base/units.js';
import type { Task } from '../../sim/task.js';

export class MigrationWatch {
  private readonly spoilt = new Set<number>();

  constructor(
    private readonly start: Vpn,
    /** One past the last page. */
    private readonly end: Vpn,
    /** Its own invalidations take the pages away from everybody else, and mean nothing here. */
    private readonly task: Task,
  ) {}

  note(start: number, end: number, invalidator: Task): void {
    if (invalidator === this.task) return;
    for (let page = Math.max(start, this.start); page < Math.min(end, this.end); page++)
      this.spoilt.add(page);
  }

  isSpoilt(page: number): boolean {
    return this.spoilt.has(page);
  }
}
