/** M7: entries that make way for a migration take their marks along, and what is mapped afterwards has them too. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, type Vpn } from '../../base/units.js';
import { PagemapStep } from '../../drm/pagemap/pagemapStep.js';
import { MigrateStep } from '../../mm/migrate/migrateUnmap.js';
import { NotifierStep, NotifyEvent } from '../../mm/mirror/mmuNotifier.js';
import { RmapStep } from '../../mm/rmap/rmap.js';
import {
  PTE_NONE,
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
import { takenPages } from './takenEntries.js';

const MARKS = PteBit.Young | PteBit.SoftDirty;

/** With these steps a task says that its migration has mapped again what it took. */
const ends: readonly StepId[] = [
  PagemapStep.toDevmemDone,
  PagemapStep.alreadyThere,
  PagemapStep.toDevmemFailed,
  PagemapStep.toRamDone,
  PagemapStep.evictDone,
];

/** Pages of one invalidation that are looked at, from its first on. */
const PAGES_MAX = 16;

/** What the kind of entry can have: one of device-private memory is never young. */
function marksOf(pte: Pte): number {
  return pteKind(pte) === PteKind.DevicePrivate ? PteBit.SoftDirty : MARKS;
}

/** What a task has seen of the entries that it takes. */
class Trip {
  /** Of the invalidation that it has begun: which address space, from which page on, and the entries then. */
  mm = -1;
  start = 0;
  readonly before: Pte[] = [];
  /** Pages whose entries made way: whose they are, and the marks that they took along. */
  readonly takenMms: number[] = [];
  readonly takenPages: Vpn[] = [];
  readonly takenMarks: number[] = [];
  taken = 0;

  take(mm: number, page: Vpn, marks: number): void {
    this.takenMms[this.taken] = mm;
    this.takenPages[this.taken] = page;
    this.takenMarks[this.taken] = marks;
    this.taken++;
  }
}

/**
 * Implied by migrate_vma_collect_pmd, try_to_migrate_one and remove_migration_pte, which hand on soft-dirty, and young from RAM to RAM or
 * coherent memory: without young, reclaim takes what is in use; without soft-dirty, a checkpoint leaves out what was stored. Entries are looked at from the begin of the invalidation on; as soon as another task
 * changes any, nothing more is said. That a folio is dirty is a matter of its own.
 */
class MarksCarried implements Checker {
  /** By task. */
  private readonly trips = new Map<number, Trip>();
  private readonly idle: Trip[] = [];

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    if (task === null) return;
    switch (step) {
      case NotifierStep.invStart:
        this.lookAtRestored(task);
        if (c === NotifyEvent.Migrate || c === NotifyEvent.Clear) this.begin(task, a, b, d);
        return;
      case MigrateStep.collect:
      case RmapStep.tryToMigrate:
        this.lookAtTaken(task, a, takenPages(this.machine.coordinator.kernel, step, b), c);
        break;
      default:
        this.lookAtRestored(task);
    }
    if (!ends.includes(step)) this.forgetOthers(task);
  }

  private begin(task: Task, start: number, npages: number, mm: number): void {
    const trip = this.trips.get(task.id) ?? this.open(task);
    trip.mm = mm;
    trip.start = start;
    trip.before.length = 0;
    for (let page = start; page < start + Math.min(npages, PAGES_MAX); page++)
      trip.before.push(this.entryAt(mm, page as Vpn));
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
      this.compare('the migration entry', mm, page as Vpn, was & MARKS, now);
      trip.take(mm, page as Vpn, now & MARKS);
    }
  }

  private lookAtRestored(task: Task): void {
    const trip = this.trips.get(task.id);
    if (trip === undefined) return;
    const { taken } = trip;
    trip.taken = 0;
    for (let i = 0; i < taken; i++) {
      const mm = trip.takenMms[i];
      const page = trip.takenPages[i];
      const marks = trip.takenMarks[i];
      const now = this.entryAt(mm, page);
      if (pteKind(now) === PteKind.Migration) trip.take(mm, page, marks);
      else if (pteIsMapping(now)) this.compare('what is mapped', mm, page, marks & marksOf(now), now);
    }
    if (trip.taken === 0) this.close(task.id, trip);
  }

  private compare(what: string, mm: number, page: Vpn, marks: number, now: Pte): void {
    const lostMarks = marks & ~now;
    if (lostMarks === 0) return;
    const lost = (lostMarks & PteBit.Young) !== 0 ? 'young' : 'soft-dirty';
    this.sink.report(
      'M7',
      `${what} at ${formatVpn(page)} of mm ${mm} is ${lost} no more, as the page was before`,
    );
  }

  /** Of what others change nobody knows here what it should be. */
  private forgetOthers({ id }: Task): void {
    for (const [other, trip] of this.trips) if (other !== id) this.close(other, trip);
  }

  private open(task: Task): Trip {
    const trip = this.idle.pop() ?? new Trip();
    this.trips.set(task.id, trip);
    return trip;
  }

  private close(id: number, trip: Trip): void {
    trip.taken = 0;
    this.trips.delete(id);
    this.idle.push(trip);
  }

  private entryAt(id: number, page: Vpn): Pte {
    const mm = this.machine.coordinator.processes.find(id);
    return mm === null || mm.count === 0 ? PTE_NONE : pteFromWord(mm.pageTable.get(page));
  }
}

export const marksCarried: CheckerKind = {
  id: 'M7',
  title: 'a page stays soft-dirty through a migration, and young in RAM',
  isCheap: true,
  steps: [NotifierStep.invStart, ...ends, ...entryChanges],
  make: (machine, sink) => new MarksCarried(machine, sink),
};
