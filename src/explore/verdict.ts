/** What was found wrong with one run. */

import type { ExpectedVerdict } from '../bugs/bugOverlay.js';
import type { VerdictKind } from '../bugs/verdictKind.js';

/** How a run ended that did not end well. */
export interface Verdict {
  readonly kind: VerdictKind;
  /** The rule that is broken, where there is one: `I4`. */
  readonly invariant: string | null;
  /** In words, with the numbers of this run. */
  readonly message: string;
  /** More lines, such as who waits for whom. */
  readonly details: readonly string[];
}

/** Numbers differ from run to run, and say nothing of what kind of failure it is. */
function withoutNumbers(message: string): string {
  return message.replace(/0x[0-9a-f]+|\d+/gi, '#');
}

/** Whether two runs failed in the same way: what shrinking keeps, and what counts as one finding. */
export function sameVerdict(a: Verdict, b: Verdict): boolean {
  return verdictKey(a) === verdictKey(b);
}

/** Whether they say the same of two runs, but for numbers. */
export function saysTheSame(a: Verdict, b: Verdict): boolean {
  return sameVerdict(a, b) && withoutNumbers(a.message) === withoutNumbers(b.message);
}

/** Equal for verdicts of the same kind. Messages tell assertions apart, which have no names. */
export function verdictKey({ kind, invariant, message }: Verdict): string {
  if (invariant !== null) return `${kind} ${invariant}`;
  return kind === 'assertion' ? `${kind} ${withoutNumbers(message)}` : kind;
}

/** Whether it is what an overlay was made to show. */
export function isExpected(verdict: Verdict, expected: readonly ExpectedVerdict[]): boolean {
  return expected.some(
    ({ kind, invariant }) =>
      kind === verdict.kind && (invariant === undefined || invariant === verdict.invariant),
  );
}
