/** How warm-up went, for a table and for JSON. */

import type { WarmedUp } from '../../base/steadyState.js';
import type { JsonObject } from '../json.js';

/** Rounds, marked where times still changed when warm-up had to end. */
export function warmupsText({ warmups, isSteady }: WarmedUp): string {
  return isSteady ? String(warmups) : `${warmups}, not steady`;
}

export function warmupsResult({ warmups, isSteady }: WarmedUp): JsonObject {
  return { warmups, steady: isSteady };
}
