/** E2: a migration that succeeded has brought all its pages to the device. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import { MigrateStep } from '../../mm/migrate/migrateUnmap.js';
import {
  formatPte,
  type Pte,
  PteKind,
  pteFromWord,
  pteIsMapping,
  pteKind,
  ptePfn,
} from '../../mm/table/pte.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import { entryChanges } from './changesBracketed.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/** Pages of one migration that are looked up from its first on. */
const PAGES_MAX = 16;

const notMoved: readonly StepId[] = [PagemapStep.alreadyThere, PagemapStep.toDevmemFailed];

/** Of a migration under way. */
interface Migration {
  /** Address space that the task collected last; -1 until then. */
  mm: number;
  /** Changes of entries, by anybody, until it began, and by itself since then. */
  before: number;
  own: number;
}

/**
 * Implied by drm_pagemap_migrate_to_devmem, which says -EBUSY where a page was left behind: the caller sets the range up for device memory after a success.
 * Nothing is said where anybody else has changed entries since its begin: that may have taken pages home again, or have emptied an entry that said that its page
 * is on the way.
 */
class MigratedThere implements Checker {
  /** Those under way, by task. */
  private readonly migrations = new Map<number, Migration>();
  /** Changes of entries so far. */
  private changes = 0;

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number): void {
    if (task === null) return;
    if (step === PagemapStep.toDevmem) this.migrations.set(task.id, { mm: -1, before: this.changes, own: 0 });
    else if (notMoved.includes(step)) this.migrations.delete(task.id);
    else if (step === PagemapStep.toDevmemDone) this.end(task, a, b, c);
    else this.noteChange(task, step, c);
  }

  private noteChange(task: Task, step: StepId, mm: number): void {
    this.changes++;
    const migration = this.migrations.get(task.id);
    if (migration === undefined) return;
    migration.own++;
    if (step === MigrateStep.collect) migration.mm = mm;
  }

  private end(task: Task, start: number, npages: number, device: number): void {
    const migration = this.migrations.get(task.id);
    if (migration === undefined) return;
    this.migrations.delete(task.id);
    const mm = this.machine.coordinator.processes.find(migration.mm);
    if (mm === null || mm.count === 0 || this.changes - migration.before !== migration.own) return;
    for (let page = start; page < start + Math.min(npages, PAGES_MAX); page++) {
      const pte = pteFromWord(mm.pageTable.get(page as Vpn));
      // Somebody else has taken it since, and has not said so yet.
      if (pteKind(pte) === PteKind.Migration || this.isOn(device, pte)) continue;
      const what = `a migration to gpu${device} succeeded, but ${formatVpn(page as Vpn)}`;
      this.sink.report('E2', `${what} is not there: ${formatPte(pte)}`);
      return;
    }
  }

  private isOn(device: number, pte: Pte): boolean {
    if (!pteIsMapping(pte)) return false;
    const { layout } = this.machine.coordinator.kernel.memory;
    const pfn = ptePfn(pte);
    return layout.isDevice(pfn) && layout.zoneOf(pfn).deviceIndex === device;
  }
}

export const migratedThere: CheckerKind = {
  id: 'E2',
  title: 'a migration to a device that succeeded has brought all its pages there',
  isCheap: true,
  steps: [PagemapStep.toDevmem, PagemapStep.toDevmemDone, ...notMoved, ...entryChanges],
  make: (machine, sink) => new MigratedThere(machine, sink),
};
