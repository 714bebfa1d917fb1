/** `--status-interval`: the status line of a run kept again and again, for logs. */

import type { Command } from 'commander';
import { DAY_MS, secondsAsMs } from './optionValues.js';

export interface StatusOptions {
  readonly statusInterval?: string;
}

export function addStatusOption(command: Command): Command {
  return command
    .option(
      '--status-interval <seconds>',
      "keeps a status line that often, of the run's own time, also in a pipe",
    )
    .addHelpText('after', stateLetters);
}

const stateLetters = [
  '',
  'The status line shows a letter for every actor, coordinator first, equal neighbours counted, as in R(5),W(2):',
  '  I starting   R running   W waiting for a message   F stalled on page faults   P paused   E ended',
].join('\n');

/** Milliseconds of the clock of the run; nothing where it was not typed. @throws UserError */
export function statusEvery({ statusInterval }: StatusOptions): { readonly statusEveryMs?: number } {
  if (statusInterval === undefined) return {};
  return { statusEveryMs: secondsAsMs('--status-interval', statusInterval, 1, DAY_MS) };
}
