/** M7: entries that make way for a migration take their marks along, and what is mapped afterwards has them too. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import type { Pfn } from '../../memory/pfn.js';
import { MigrateStep } from '../../mm/migrate/migrateUnmap.js';
import { NotifierStep, NotifyEvent } from '../../mm/mirror/mmuNotifier.js';
import { RmapStep } from '../../mm/rmap/rmap.js';
import {
  formatPte,
  type Pte,
  PteBit,
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

const MARKS = PteBit.Young | PteBit.SoftDirty | PteBit.UffdWp;

/** After these of a task's steps its migrations have mapped again what they took, and before what it changes or begins next. */
const ends: readonly StepId[] = [
  PagemapStep.toDevmemDone,
  PagemapStep.alreadyThere,
  PagemapStep.toDevmemFailed,
  PagemapStep.toRamDone,
  PagemapStep.evictDone,
];

/** Pages of one invalidation that are looked at, from its first on. */
const PAGES_MAX = 16;

/** A page whose entry made way, with the marks that it took along. */
interface Taken {
  readonly mm: number;
  readonly page: Vpn;
  readonly marks: number;
}

/** What a task has seen of the entries that it takes. */
class Trip {
  /** Of the invalidation that it has begun: which address space, from which page on, and the entries then. */
  mm = -1;
  start = 0;
  readonly before: Pte[] = [];
  readonly taken: Taken[] = [];
}

/**
 * Implied by migrate_vma_collect_pmd, try_to_migrate_one and remove_migration_pte, which hand on young, soft-dirty and the write protection of userfaultfd: without
 * the first, reclaim takes what is in use; without the others, a checkpoint leaves out what was stored, or a store goes unreported. Entries are looked at from the
 * begin of the invalidation on; as soon as another task changes any, nothing more is said. That a folio is dirty is a matter of its own.
 */
class MarksCarried implements Checker {
  /** By task. */
  private readonly trips = new Map<number, Trip>();

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    if (task === null) return;
    switch (step) {
      case NotifierStep.invStart:
        if (c === NotifyEvent.Migrate || c === NotifyEvent.Clear) this.begin(task, a, b, d);
        return;
      case MigrateStep.collect:
        this.lookAtTaken(task, a, b, c);
        break;
      case RmapStep.tryToMigrate:
        this.lookAtTaken(task, a, this.folioPages(b as Pfn), c);
        break;
      default:
        this.lookAtRestored(task);
    }
    if (!ends.includes(step)) this.forgetOthers(task);
  }

  private begin(task: Task, start: number, npages: number, mm: number): void {
    this.lookAtRestored(task);
    let trip = this.trips.get(task.id);
    if (trip === undefined) {
      trip = new Trip();
      this.trips.set(task.id, trip);
    }
    trip.mm = mm;
    trip.start = start;
    trip.before.length = 0;
    for (let i = 0; i < Math.min(npages, PAGES_MAX); i++)
      trip.before.push(this.entryAt(mm, (start + i) as Vpn));
  }

  private lookAtTaken(task: Task, start: number, npages: number, mm: number): void {
    const trip = this.trips.get(task.id);
    if (trip === undefined || trip.mm !== mm) return;
    const first = Math.max(start, trip.start);
    const end = Math.min(start + npages, trip.start + trip.before.length);
    for (let page = first; page < end; page++) {
      const was = trip.before[page - trip.start];
      const now = this.entryAt(mm, page as Vpn);
      if (pteKind(now) !== PteKind.Migration || !pteIsMapping(was) || ptePfn(was) !== ptePfn(now)) continue;
      if ((was & ~now & MARKS) !== 0) this.report(mm, page as Vpn, formatPte(was), now);
      trip.taken.push({ mm, page: page as Vpn, marks: now & MARKS });
    }
  }

  private lookAtRestored(task: Task): void {
    const trip = this.trips.get(task.id);
    if (trip === undefined) return;
    let left = 0;
    for (const taken of trip.taken) {
      const { mm, page, marks } = taken;
      const now = this.entryAt(mm, page);
      if (pteKind(now) === PteKind.Migration) trip.taken[left++] = taken;
      else if (pteIsMapping(now) && (marks & ~now) !== 0)
        this.report(mm, page, 'a migration entry with more', now);
    }
    trip.taken.length = left;
    if (left === 0) this.trips.delete(task.id);
  }

  /** Of what others change nobody knows here what it should be. */
  private forgetOthers({ id }: Task): void {
    for (const other of this.trips.keys()) if (other !== id) this.trips.delete(other);
  }

  private report(mm: number, page: Vpn, before: string, now: Pte): void {
    this.sink.report(
      'M7',
      `${formatVpn(page)} of mm ${mm} has lost marks: from ${before} to ${formatPte(now)}`,
    );
  }

  private folioPages(pfn: Pfn): number {
    const { folios } = this.machine.coordinator.kernel;
    return folios.npages(folios.headOf(pfn));
  }

  private entryAt(id: number, page: Vpn): Pte {
    const mm = this.machine.coordinator.processes.find(id);
    return pteFromWord(mm === null || mm.count === 0 ? 0 : mm.pageTable.get(page));
  }
}

export const marksCarried: CheckerKind = {
  id: 'M7',
  title: 'a page keeps its marks young, soft-dirty and write-protected through a migration',
  isCheap: true,
  steps: [NotifierStep.invStart, ...ends, ...entryChanges],
  make: (machine, sink) => new MarksCarried(machine, sink),
};
