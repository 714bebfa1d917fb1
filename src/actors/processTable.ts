/** The processes of the simulated machine: their address spaces by number. */

import { assert } from '../base/assert.js';
import type { Kernel } from '../mm/kernel.js';
import { Mm } from '../mm/process/mm.js';

/** The process that exists from the start. */
export const FIRST_PROCESS = 1;

export class ProcessTable {
  private readonly alive = new Map<number, Mm>();
  private next = FIRST_PROCESS;

  constructor(private readonly kernel: Kernel) {}

  /** An empty address space with the next number. */
  create(): Mm {
    const mm = new Mm(this.kernel, this.reserve());
    this.add(mm);
    return mm;
  }

  /** A number that no process had or will have; for an address space that is still to be made. @kernel alloc_pid */
  reserve(): number {
    return this.next++;
  }

  add(mm: Mm): void {
    assert(!this.alive.has(mm.id) && mm.id < this.next, () => `mm ${mm.id} has no number of its own`);
    this.alive.set(mm.id, mm);
  }

  /** Null once the process has ended. */
  find(id: number): Mm | null {
    return this.alive.get(id) ?? null;
  }

  /** The process has ended; others may still hold the address space. */
  remove(mm: Mm): void {
    assert(this.alive.get(mm.id) === mm, () => `mm ${mm.id} is no process`);
    this.alive.delete(mm.id);
  }

  /** Those that have not ended, in order of their numbers. */
  all(): Mm[] {
    return [...this.alive.values()];
  }
}
