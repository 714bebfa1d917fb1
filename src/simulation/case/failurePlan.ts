/** Which allocations of a case are made to fail, each in a run of its own: all of them, or a sample of those that are alike. */

import { type AllocSite, FailureInjector } from '../../memory/failureInjector.js';
import type { StepObserver } from '../../sim/scheduler.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';

/** One allocation of a run in which none fails. */
export interface Allocation {
  /** Steps of the case that had ended before it. */
  readonly step: number;
  readonly site: AllocSite;
  /** A digest of the named steps that the protocol took since the allocation before it. */
  readonly path: number;
}

/** As a digest of a sequence of numbers goes on. */
const DIGEST_FACTOR = 31;

/** Fails nothing, and writes down what is asked, and on which way the protocol came there. */
export class AllocationLog extends FailureInjector implements StepObserver {
  readonly allocations: Allocation[] = [];
  private path = 0;

  constructor(private readonly step: () => number) {
    super();
  }

  onStep(_task: Task | null, step: StepId): void {
    this.path = (Math.imul(this.path, DIGEST_FACTOR) + step + 1) | 0;
  }

  override shouldFail(site: AllocSite): boolean {
    this.allocations.push({ step: this.step(), site, path: this.path });
    this.path = 0;
    return super.shouldFail(site);
  }
}

/**
 * Numbers of allocations, from 1. Those of one site within one step of the case to which the protocol came on the same way from the allocation
 * before are rounds of one loop: they differ in how many rounds came before and in nothing else, since whatever a loop does only now and then
 * (the next page table, the next chunk, another page that must go first) is a named step or an allocation, and makes another path. Of such rounds
 * the first two, the last two, and every `stride`-th between them fail.
 */
export function chosenAllocations(allocations: readonly Allocation[], stride: number): number[] {
  const loops = new Map<string, number[]>();
  allocations.forEach(({ step, site, path }, i) => {
    const key = `${step} ${site} ${path}`;
    const loop = loops.get(key);
    if (loop === undefined) loops.set(key, [i + 1]);
    else loop.push(i + 1);
  });
  return [...loops.values()]
    .flatMap((loop) => loop.filter((_, i) => i < 2 || i % stride === 0 || i >= loop.length - 2))
    .sort((a, b) => a - b);
}
