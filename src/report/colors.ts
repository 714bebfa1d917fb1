/** Whether and how output is coloured: only where someone looks at it, and never against NO_COLOR. */

import picocolors from 'picocolors';

export type Colors = ReturnType<typeof picocolors.createColors>;

export type EnvironmentVariables = Readonly<Record<string, string | undefined>>;

/** A non-empty NO_COLOR turns colours off; a non-empty FORCE_COLOR other than 0 turns them on also in a pipe. */
export function colorsFor(env: EnvironmentVariables, isTTY: boolean): Colors {
  return picocolors.createColors(wantsColors(env, isTTY));
}

export const noColors: Colors = picocolors.createColors(false);

function wantsColors({ NO_COLOR, FORCE_COLOR, TERM }: EnvironmentVariables, isTTY: boolean): boolean {
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0';
  return isTTY && TERM !== 'dumb';
}
