/** Options that name one file may be given once: of two, the first would be left out without a word. */

import type { Command } from 'commander';
import { refusal } from './optionValues.js';

/** Of all commands below. Options that collect have a parser of their own, and keep it. */
export function refuseSecondFiles(program: Command): void {
  for (const command of program.commands) {
    for (const option of command.options) {
      if (option.parseArg !== undefined || !/<[^>]*file[^>]*>/.test(option.flags)) continue;
      let first: string | null = null;
      option.argParser((value: string) => {
        if (first !== null)
          throw refusal(`${option.long ?? option.flags} ${value}`, `${first} before it`, 'the option once');
        first = value;
        return value;
      });
    }
  }
}
