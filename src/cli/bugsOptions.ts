/** The options of `svmsim bugs`, without what it needs to run. */

import type { Command } from 'commander';
import { addExamples } from './commonOptions.js';

/** Of each bug with each strategy. */
export const RACE_SCHEDULES = '1000';
/** Of a hunt, and of each one in a race. */
export const BUGS_SEED = '1';

export interface BugsOptions {
  readonly hunt?: string;
  readonly race?: boolean;
  readonly seconds?: string;
  readonly schedules?: string;
  readonly seed?: string;
  readonly jobs?: string;
  readonly output?: string;
  readonly json?: string;
  readonly quiet?: boolean;
}

export type BugsRunner = (id: string | undefined, options: BugsOptions) => Promise<void>;

export function addBugsCommand(program: Command, action: BugsRunner): void {
  const command = program
    .command('bugs')
    .summary('the catalogue of known bugs: lists them, hunts one, races strategies for all')
    .description(
      'Bugs that GPU memory managers had, or might have, each as one wrong step that is put into the protocol of a small program.',
    )
    .argument('[id]', 'shows this one: what was wrong, where it is told, what it shows as, and its program')
    .option('--hunt <id>', 'looks for one with the portfolio, and writes its failure file')
    .option(
      '--race',
      'hunts each with each strategy of the portfolio and depth first, and says how many schedules and seconds it took',
    )
    .option('--seconds <n>', 'wall time of a hunt, or of each one in a race')
    .option(
      '--schedules <n>',
      `schedules of a hunt, or of each one in a race (default: ${RACE_SCHEDULES} in a race)`,
    )
    .option('--seed <n>', `seed of every random choice (default: ${BUGS_SEED})`)
    .option('--jobs <n>', 'workers (default: as many as cores)')
    .option('--output <file>', 'where a hunt writes its failure file (default: as explore)')
    .option('--json <file>', 'writes the result as one JSON document; - for standard output')
    .option('--quiet', 'no progress on standard error')
    .action(action);
  addExamples(command, [
    ['svmsim bugs', 'all of them, with what was wrong and where it is told'],
    ['svmsim bugs B107', 'all that is known of one'],
    ['svmsim bugs --hunt B107 --seconds 30 --output b107.bin', 'one; exit status 1 when it was found'],
    ['svmsim bugs --race --schedules 200', 'which strategy finds which bug, and how soon'],
    ["svmsim bugs --json - | jq '.results[].id'", 'for scripts'],
  ]);
}
