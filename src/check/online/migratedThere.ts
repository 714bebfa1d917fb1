/** E2: a migration that succeeded has brought all its pages to the device. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import { MigrateStep } from '../../mm/migrate/migrateUnmap.js';
import { formatPte, type Pte, pteFromWord, pteIsMapping, ptePfn } from '../../mm/table/pte.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import { entryChanges } from './changesBracketed.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/** Pages of one migration that are looked up from its first on. */
const PAGES_MAX = 16;

/** A migration under way. */
interface Migration {
  /** Address space that the task collected last; -1 until then. */
  mm: number;
  /** Changes of entries, by anybody, until it began, and by itself since then. */
  before: number;
  own: number;
  isOpen: boolean;
}

/**
 * Implied by drm_pagemap_migrate_to_devmem, which says -EBUSY where a page was left behind: the caller sets the range up for device memory after a success.
 * Nothing is said where anybody else has changed entries since its begin: that may have taken pages home again, or have emptied an entry that said that its page
 * is on the way.
 */
class MigratedThere implements Checker {
  /** By task. */
  private readonly migrations = new Map<number, Migration>();
  /** Changes of entries so far. */
  private changes = 0;

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number): void {
    if (task === null) return;
    const migration = this.migrations.get(task.id);
    if (step === PagemapStep.toDevmem) this.begin(task, migration);
    else if (step === PagemapStep.toDevmemDone) this.end(migration, a, b, c);
    else {
      this.changes++;
      if (migration === undefined) return;
      migration.own++;
      if (step === MigrateStep.collect) migration.mm = c;
    }
  }

  private begin(task: Task, known: Migration | undefined): void {
    const migration = known ?? { mm: -1, before: 0, own: 0, isOpen: false };
    if (known === undefined) this.migrations.set(task.id, migration);
    migration.mm = -1;
    migration.before = this.changes;
    migration.own = 0;
    migration.isOpen = true;
  }

  private end(migration: Migration | undefined, start: number, npages: number, device: number): void {
    if (migration === undefined || !migration.isOpen) return;
    migration.isOpen = false;
    const mm = this.machine.coordinator.processes.find(migration.mm);
    if (mm === null || mm.count === 0 || this.changes - migration.before !== migration.own) return;
    for (let page = start; page < start + Math.min(npages, PAGES_MAX); page++) {
      const pte = pteFromWord(mm.pageTable.get(page as Vpn));
      if (this.isOn(device, pte)) continue;
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
  steps: [PagemapStep.toDevmem, PagemapStep.toDevmemDone, ...entryChanges],
  make: (machine, sink) => new MigratedThere(machine, sink),
};
