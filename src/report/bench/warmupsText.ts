/** How warm-up went, for a table. */

/** Rounds, marked where times still changed when warm-up had to end. */
export function warmupsText(rounds: number, isSteady: boolean): string {
  return isSteady ? String(rounds) : `${rounds}, not steady`;
}
