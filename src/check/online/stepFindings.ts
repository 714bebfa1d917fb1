/** What the checkers of a run have found, as results of its checks: the first finding of each invariant. */

import type { CheckResult } from '../checkResult.js';
import type { CheckerKind, ViolationSink } from './checker.js';
import type { CheckerSet } from './checkerSet.js';

export class StepFindings implements ViolationSink {
  private readonly found = new Map<string, string>();
  private readonly told = new Set<string>();
  private set: CheckerSet | null = null;

  constructor(private readonly kinds: readonly CheckerKind[]) {}

  /** Whose findings these are. */
  follow(set: CheckerSet): void {
    this.set = set;
  }

  report(invariant: string, detail: string): void {
    if (!this.found.has(invariant)) this.found.set(invariant, detail);
  }

  /** Only what does not hold. The machine is at rest. */
  violations(): CheckResult[] {
    this.set?.atRest();
    for (const name of this.found.keys()) this.told.add(name);
    return [...this.found].map(([name, detail]) => ({ name, ok: false, detail: `while it ran: ${detail}` }));
  }

  /** Only what does not hold and was not told before. The machine is at rest. */
  untold(): CheckResult[] {
    const before = new Set(this.told);
    return this.violations().filter(({ name }) => !before.has(name));
  }

  /** With one line for all that held, if anything was watched. */
  results(): CheckResult[] {
    const violated = this.violations();
    const held = new Set(this.kinds.map(({ id }) => id).filter((id) => !this.found.has(id)));
    if (held.size === 0) return violated;
    return [
      ...violated,
      { name: 'steps', ok: true, detail: `watched step by step: ${[...held].join(', ')}` },
    ];
  }
}
