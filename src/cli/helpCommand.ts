/** `svmsim help [command]`: the help of one command, or of all. */

import type { Command } from 'commander';
import { didYouMean } from '../base/didYouMean.js';
import { addExamples } from './commonOptions.js';
import { refusal } from './optionValues.js';

/** In place of the library's own, which prints all help for a command that is not there. */
export function addHelpCommand(program: Command): void {
  program.helpCommand(false);
  const command = program
    .command('help')
    .summary('what a command does, with its options and examples')
    .argument('[command]')
    .action((name: string | undefined) => {
      (name === undefined ? program : commandNamed(program, name)).outputHelp();
    });
  addExamples(command, [['svmsim help run', 'the same as svmsim run --help']]);
}

/** @throws UserError */
function commandNamed(program: Command, name: string): Command {
  const found = program.commands.find((command) => command.name() === name);
  if (found !== undefined) return found;
  const shown = program.createHelp().visibleCommands(program);
  const names = shown.map((command) => command.name());
  const meant = didYouMean(name, names);
  throw refusal('help', name, names.join(', '), meant === null ? undefined : `did you mean ${meant}?`);
}
