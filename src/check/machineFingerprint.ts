/** A number that is the same for states of a machine between which no rule of the protocol can tell: to see that a run comes back to where it was. */

import type { Machine } from '../actors/machine.js';
import { type GpuPte, gpuPteAt, gpuPteIsWritable, gpuPtePage, gpuPteProto } from '../device/gpuPte.js';
import { DmaProto } from '../memory/dmaAddr.js';
import { NO_PFN, type Pfn } from '../memory/pfn.js';
import { forEachPte } from '../mm/mmCensus.js';
import { type Pte, PteBit, PteKind, pteHas, pteHoldsFolio, pteKind, ptePfn } from '../mm/table/pte.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Task } from '../sim/task.js';

const PRIME = 0x01000193;
const START = 0x811c9dc5;

/**
 * What every page is for the CPU and for every device, and what every task is about to do. Left out is what grows for ever without a meaning of
 * its own: numbers of tasks, sequences, which of several free frames was taken. So it is the same after every round of a loop that gets nowhere;
 * since messages and lists are not in it either, once is no proof. How far a task is within one operation only its caller can tell.
 */
export function machineFingerprint(
  { sched, coordinator, devices }: Machine,
  howFar: (task: Task) => number,
): number {
  let hash = START;
  const mix = (word: number): void => {
    hash = Math.imul(hash ^ word, PRIME);
    hash ^= hash >>> 15;
  };
  const { kernel } = coordinator;
  for (const mm of kernel.mms) {
    forEachPte(mm, (page, pte) => {
      mix(page % 2 ** 31);
      mix(
        entryWord(pte, (pfn) => pageWord(kernel.memory.layout.zoneOf(pfn).id, kernel.folios.isLocked(pfn))),
      );
    });
  }
  for (const { gpu } of devices) {
    const { ptePages, ptes } = gpu.snapshot();
    for (let i = 0; i < ptePages.length; i++) {
      mix(ptePages[i] % 2 ** 31);
      mix(deviceWord(gpuPteAt(ptes, i), (pfn) => kernel.memory.layout.zoneOf(pfn).id));
    }
  }
  mix(tasksWord(sched, howFar));
  return hash >>> 0;
}

function pageWord(zone: number, isLocked: boolean): number {
  return zone * 2 + (isLocked ? 1 : 0);
}

function entryWord(pte: Pte, ofPage: (pfn: Pfn) => number): number {
  const pfn = ptePfn(pte);
  const hasPage = pfn !== NO_PFN && (pteHoldsFolio(pte) || pteKind(pte) === PteKind.Migration);
  return (hasPage ? ofPage(pfn) : 0) * 64 + pteKind(pte) * 4 + (pteHas(pte, PteBit.Write) ? 2 : 0);
}

/** Memory of the host is reached by I/O addresses, which are as arbitrary as frames. */
function deviceWord(pte: GpuPte, zoneOf: (pfn: Pfn) => number): number {
  const proto = gpuPteProto(pte);
  const zone = proto === DmaProto.System ? 0 : zoneOf(gpuPtePage(pte) as Pfn);
  return zone * 16 + proto * 2 + (gpuPteIsWritable(pte) ? 1 : 0);
}

/** In no order: tasks of one kind stand in for one another. */
function tasksWord({ tasks, current }: Scheduler, howFar: (task: Task) => number): number {
  let sum = 0;
  for (const task of tasks)
    if (!task.daemon) sum = (sum + taskWord(task, task === current, howFar(task))) | 0;
  return sum;
}

function taskWord(
  { actor, lastStep, state, held, waitingFor }: Task,
  isCurrent: boolean,
  howFar: number,
): number {
  let word = Math.imul(actor + 1, 0x9e3779b1) ^ Math.imul(lastStep + 1, 0x85ebca6b);
  word = Math.imul(word ^ howFar, PRIME);
  word = Math.imul(word ^ (waitingFor === null ? 0 : 1) ^ (state === 'blocked' ? 2 : 0), PRIME);
  word = Math.imul(word ^ (isCurrent ? 4 : 0), PRIME);
  for (const { mode } of held) word = Math.imul(word ^ (mode === 'write' ? 11 : 7), PRIME);
  return word ^ (word >>> 13);
}
