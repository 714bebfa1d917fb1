/** In what ways a run can end badly. */

export const verdictKinds = [
  /** A rule of the protocol is broken: by a checker on the way, or at rest. */
  'invariant',
  /** Protocol code found its own assumption broken. */
  'assertion',
  /** Memory held something else than what was stored. */
  'wrong-data',
  /** A call returned, or a program ended, otherwise than it had to. */
  'wrong-result',
  /** Nobody can go on. */
  'deadlock',
  /** Everybody goes on and nobody gets anywhere. */
  'livelock',
  /** Others get on, but one actor does not. */
  'starvation',
  /** Something is left after everything has been torn down. */
  'leak',
  /** The same schedule, run again, went another way. */
  'nondeterminism',
] as const;

/** One of {@link verdictKinds}. */
export type VerdictKind = (typeof verdictKinds)[number];
