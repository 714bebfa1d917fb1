/** A name of a file that is empty is most often a variable of a script that nobody has set: it is told as what it is. */

import type { Command } from 'commander';
import { refusal } from './optionValues.js';

const FILE = /file|scenario|run/;

/** What was typed for a command of its arguments and options that name files. @throws UserError */
export function refuseEmptyNames(command: Command): void {
  command.registeredArguments.forEach((argument, i) => {
    const typed: unknown = command.processedArgs[i];
    if (FILE.test(argument.name()) && isEmpty(typed)) throw emptyName(`${command.name()} ''`);
  });
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (/<[^>]*file[^>]*>/.test(option.flags) && isEmpty(value)) throw emptyName(option.long ?? option.flags);
  }
}

function isEmpty(typed: unknown): boolean {
  return typed === '' || (Array.isArray(typed) && typed.includes(''));
}

function emptyName(where: string) {
  return refusal(where, 'a name that is empty', 'the name of a file');
}
