/**
 * The rule by which a word's content is known although stores race with calls that throw pages away. Per page the calls ("zaps") are
 * numbered from 1, one after another; counters of those started and ended stand on the ghost board.
 */

/** What a word must hold after a store. */
export const Survival = {
  /** The value that was stored. */
  Kept: 0,
  /** Zero. */
  Gone: 1,
  /** Either: a zap overlapped the store, or it is not over yet. */
  Open: 2,
} as const;
export type Survival = (typeof Survival)[keyof typeof Survival];

/**
 * `endedBefore`: zaps that had ended before the store; `startedAfter`: zaps that had started, as read after it. `ended` and `started`: the
 * same around the load, `ended` read before it and `started` after it. Zaps up to `endedBefore` came before the store, zaps above
 * `startedAfter` after it; zaps up to `ended` came before the load, zaps above `started` after it.
 */
export function survival(
  endedBefore: number,
  startedAfter: number,
  ended: number,
  started: number,
): Survival {
  if (started <= endedBefore) return Survival.Kept;
  if (ended > startedAfter) return Survival.Gone;
  return Survival.Open;
}
