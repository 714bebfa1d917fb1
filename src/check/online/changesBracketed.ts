/** I4: whoever takes rights away from a process's pages does it inside an invalidation of them. */

import type { Machine } from '../../actors/machine.js';
import { formatVpn, PMD_PAGES, type Vpn } from '../../base/units.js';
import { MadviseFreeStep } from '../../mm/area/madviseFree.js';
import { MprotectStep } from '../../mm/area/mprotect.js';
import { CowStep } from '../../mm/fault/copyOnWrite.js';
import { WritebackStep } from '../../mm/file/writeback.js';
import { CollapseStep } from '../../mm/huge/collapse.js';
import { HugetlbStep } from '../../mm/hugetlb/hugetlbFault.js';
import { MigrateStep } from '../../mm/migrate/migrateUnmap.js';
import { ExclusiveStep } from '../../mm/mirror/exclusiveEntries.js';
import { NotifierStep } from '../../mm/mirror/mmuNotifier.js';
import { CopyStep, isCow } from '../../mm/process/copyPageRange.js';
import { RmapStep } from '../../mm/rmap/rmap.js';
import { UnmapFolioStep } from '../../mm/rmap/tryToUnmap.js';
import { MoveStep } from '../../mm/table/movePageTables.js';
import { PagemapReadStep } from '../../mm/table/pagemap.js';
import { ZapStep } from '../../mm/table/zap.js';
import { type StepId, stepDefinition } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/** Steps right after entries of as many pages as they say have lost rights, or gone. Of a folio that is unmapped only the first page is known. */
const changes: readonly (readonly [StepId, number | 'as told'])[] = [
  [ZapStep.cleared, 'as told'],
  [MprotectStep.changed, 'as told'],
  [MadviseFreeStep.marked, 'as told'],
  [PagemapReadStep.cleared, 'as told'],
  [MoveStep.moved, 'as told'],
  [MigrateStep.collect, 'as told'],
  [MigrateStep.filled, 1],
  [CopyStep.copied, 'as told'],
  [CopyStep.failed, 'as told'],
  [CowStep.broken, 1],
  [WritebackStep.cleaned, 1],
  [ExclusiveStep.made, 1],
  [ExclusiveStep.restored, 1],
  [RmapStep.tryToMigrate, 1],
  [UnmapFolioStep.unmapped, 1],
  [CollapseStep.collapsed, PMD_PAGES],
  [HugetlbStep.broken, PMD_PAGES],
  [HugetlbStep.taken, PMD_PAGES],
];

/** The steps themselves. */
export const entryChanges: readonly StepId[] = changes.map(([step]) => step);

/** By step: how many pages, where the step does not say; 0 where it does. */
const fixedPages: number[] = [];
/** By step: which argument is the number of pages, and which the first address space. */
const pagesAt: number[] = [];
const mmAt: number[] = [];
for (const [step, npages] of changes) {
  const { fields } = stepDefinition(step);
  fixedPages[step] = npages === 'as told' ? 0 : npages;
  pagesAt[step] = fields.indexOf('npages');
  mmAt[step] = fields.indexOf('id');
}

/**
 * Implied by the comment of mmu_notifier_invalidate_range_start: all changes of entries that take something away lie between start and end. Outside of that
 * a device reads the entry, finds the sequence as it was, and keeps a translation of a page that is others' a moment later. Restoring an entry that was lent
 * to a device takes it from that device, and counts. An invalidation is its task's own: another one's may end too early.
 */
class ChangesBracketed implements Checker {
  /** Invalidations that run, in no order: whose, of which address space, from where to where. */
  private readonly tasks: number[] = [];
  private readonly spaces: number[] = [];
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];
  private count = 0;

  constructor(
    private readonly machine: Machine,
    private readonly sink: ViolationSink,
  ) {}

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    if (task === null) return;
    if (step === NotifierStep.invStart) this.begin(task.id, d, a, a + b);
    else if (step === NotifierStep.invEnd) this.end(task.id, d, a, a + b);
    else {
      const npages = fixedPages[step] || (pagesAt[step] === 1 ? b : c);
      this.lookAt(task, step, mmAt[step] === 2 ? c : d, a, a + npages);
    }
  }

  private begin(task: number, mm: number, start: number, end: number): void {
    const at = this.count++;
    this.tasks[at] = task;
    this.spaces[at] = mm;
    this.starts[at] = start;
    this.ends[at] = end;
  }

  private end(task: number, mm: number, start: number, end: number): void {
    const { tasks, spaces, starts, ends } = this;
    for (let at = this.count - 1; at >= 0; at--) {
      if (tasks[at] !== task || spaces[at] !== mm || starts[at] !== start || ends[at] !== end) continue;
      const last = --this.count;
      tasks[at] = tasks[last];
      spaces[at] = spaces[last];
      starts[at] = starts[last];
      ends[at] = ends[last];
      return;
    }
  }

  private lookAt(task: Task, step: StepId, mm: number, start: number, end: number): void {
    for (let at = this.count - 1; at >= 0; at--) {
      const isItsOwn = this.tasks[at] === task.id && this.spaces[at] === mm;
      if (isItsOwn && this.starts[at] <= start && this.ends[at] >= end) return;
    }
    const isOfFork = step === CopyStep.copied || step === CopyStep.failed;
    if (isOfFork && !this.takesRights(mm, start)) return;
    const what = `${stepDefinition(step).name} changes ${end - start} pages at ${formatVpn(start as Vpn)}`;
    this.sink.report('I4', `${what} of mm ${mm} outside of an invalidation of them`);
  }

  /** A fork leaves the parent's entries of shared memory as they are. */
  private takesRights(mm: number, page: number): boolean {
    const vma = this.machine.coordinator.processes.find(mm)?.vmas.find(page as Vpn) ?? null;
    return vma !== null && isCow(vma);
  }
}

export const changesBracketed: CheckerKind = {
  id: 'I4',
  title: 'entries of a process lose rights only inside an invalidation of their pages',
  isCheap: true,
  steps: [NotifierStep.invStart, NotifierStep.invEnd, ...entryChanges],
  make: (machine, sink) => new ChangesBracketed(machine, sink),
};
