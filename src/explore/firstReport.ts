/** Keeps the first violation that checkers tell of: what comes after it may be its consequence. */

import type { ViolationSink } from '../check/online/checker.js';
import type { Verdict } from './verdict.js';

export class FirstReport implements ViolationSink {
  verdict: Verdict | null = null;

  report(invariant: string, message: string): void {
    this.verdict ??= { kind: 'invariant', invariant, message, details: [] };
  }
}
