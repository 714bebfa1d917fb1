/** What a program does about the missing pages that it registered: it fills each with the pattern of the range that it lies in. */

import { Errno } from '../base/errno.js';
import { PAGE_WORDS, type Vpn } from '../base/units.js';
import type { Userfaultfd } from '../mm/fault/userfaultfd.js';
import type { Kernel } from '../mm/kernel.js';
import type { Steps } from '../sim/steps.js';

/** Before a lack of memory counts as lasting. */
const FILL_ATTEMPTS = 16;

/** What a range is filled with: its dword i holds `first + i * step`, in 32 bits. */
export interface UserfaultFill {
  readonly start: Vpn;
  readonly end: Vpn;
  readonly first: number;
  readonly step: number;
}

/** One per userfaultfd; it lives as long as that. */
export class UserfaultHandler {
  private readonly fills: UserfaultFill[] = [];

  constructor(
    private readonly kernel: Kernel,
    readonly uffd: Userfaultfd,
  ) {}

  /** For pages of the range this counts from now on, whatever an earlier one says. */
  add(fill: UserfaultFill): void {
    this.fills.push(fill);
  }

  /** Fills what is touched. A handler that finds no memory gives up in the end, so that nobody waits for it for ever. */
  *serve(): Steps<void> {
    for (;;) {
      const fault = yield* this.uffd.read();
      if (fault === null) return;
      if (yield* this.fillMissing(fault.page)) continue;
      yield* this.uffd.release();
      return;
    }
  }

  /** False when there was no memory for the page, however often it was tried. */
  private *fillMissing(page: Vpn): Steps<boolean> {
    const { memory, sched, costs } = this.kernel;
    for (let attempt = 0; attempt < FILL_ATTEMPTS; attempt++) {
      const errno = yield* this.uffd.copy(page, (pfn) => this.fillPage(page, memory.wordIndex(pfn)));
      if (errno !== Errno.ENOMEM) return true;
      yield* sched.spend(costs.syscallNs);
    }
    return false;
  }

  private fillPage(page: Vpn, base: number): void {
    const { words } = this.kernel.memory;
    const fill = this.fills.findLast(({ start, end }) => page >= start && page < end);
    if (fill === undefined) {
      words.fill(0, base, base + PAGE_WORDS);
      return;
    }
    const first = fill.first + (page - fill.start) * PAGE_WORDS * fill.step;
    for (let j = 0; j < PAGE_WORDS; j++) words[base + j] = first + j * fill.step;
  }
}
