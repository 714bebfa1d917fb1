/** The outcome of one checked rule, as reports print it. */

/** One rule that was checked. */
export interface CheckResult {
  /** Identifier of the invariant, or a short name: `M1`, `content`, `D1`. */
  readonly name: string;
  readonly ok: boolean;
  /** How much was looked at, or the first violation: page, actors, last events. */
  readonly detail: string;
  /** There was nothing to look at: that it holds says nothing. */
  readonly isEmpty?: true | undefined;
}
