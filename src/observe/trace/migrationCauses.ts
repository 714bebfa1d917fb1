/** Why pages move: what tasks have said before they migrate, until something else is why. */

import { MigrateTrigger } from '../../driver/driverStep.js';

const EVICTION = 'eviction';

/** By number. */
const causes = new Map<number, string>([
  [MigrateTrigger.Prefetch, 'prefetch'],
  [MigrateTrigger.GpuFault, 'GPU fault'],
  [MigrateTrigger.CpuFault, 'CPU fault'],
  [MigrateTrigger.Eviction, EVICTION],
]);

/** An eviction is for the sake of what its task has announced before. */
export function makesRoom(trigger: number): boolean {
  return trigger === MigrateTrigger.Eviction;
}

interface Said {
  /** Outside of all spans: by a prefetch, once for all that it does. */
  always: string | null;
  /** In a span that is open, for what else is done in it. */
  forNow: string | null;
  /** An eviction comes next: it makes room for what was said of before, and for that alone its own word counts. */
  evicts: boolean;
}

export class MigrationCauses {
  private readonly said = new Map<number, Said>();

  /** The task announces a migration, in a span or outside of all. */
  announce(task: number, trigger: number, isInSpan: boolean): void {
    const said = this.said.get(task) ?? { always: null, forNow: null, evicts: false };
    this.said.set(task, said);
    const cause = causes.get(trigger) ?? null;
    if (makesRoom(trigger)) said.evicts = true;
    else if (isInSpan) said.forNow = cause;
    else said.always = cause;
  }

  /** Of pages that come home in an eviction that begins. */
  ofEviction(task: number): string {
    const said = this.said.get(task);
    const evicts = said?.evicts ?? false;
    if (said !== undefined) said.evicts = false;
    return evicts ? EVICTION : (this.of(task) ?? EVICTION);
  }

  /** What the task has said; null for nothing. */
  of(task: number): string | null {
    const said = this.said.get(task);
    return said?.forNow ?? said?.always ?? null;
  }

  /** The outermost span of the task has ended. */
  spansEnd(task: number): void {
    const said = this.said.get(task);
    if (said === undefined) return;
    said.forNow = null;
    said.evicts = false;
    if (said.always === null) this.said.delete(task);
  }
}
