/** Commands and options that nobody knows are told of also where help was asked for: --help would hide them. */

import { type Command, CommanderError } from 'commander';

const UNKNOWN = ['commander.unknownCommand', 'commander.unknownOption'];
const HELP = ['--help', '-h'];

/** The words without those that ask for help; what stands behind `--` belongs to somebody else's program. */
export function withoutHelp(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--');
  return words.filter((word, i) => (end >= 0 && i > end) || !HELP.includes(word));
}

/** Whether a word is neither command nor option. `program` is used up: it says nothing and does nothing. */
export async function hasUnknownWord(program: Command, words: readonly string[]): Promise<boolean> {
  disarm(program);
  try {
    await program.parseAsync([...words], { from: 'user' });
    return false;
  } catch (error) {
    return error instanceof CommanderError && UNKNOWN.includes(error.code);
  }
}

function disarm(command: Command): void {
  command.configureOutput({ writeOut: () => {}, writeErr: () => {}, outputError: () => {} });
  for (const inner of command.commands) {
    inner.action(() => {});
    disarm(inner);
  }
}
