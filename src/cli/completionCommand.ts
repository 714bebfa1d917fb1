/** `svmsim completion`: shell completion of commands, options, their values, and the names of scenarios. */

import completionOf from '@bomb.sh/tab/commander';
import type { Command } from 'commander';
import { addExamples } from './commonOptions.js';
import { scenarioNames } from './scenarioPath.js';

/** After all other commands, which are completed as they are then. */
export function addCompletionCommand(program: Command): void {
  const completion = completionOf(program, { completionCommandName: 'completion' });
  for (const { arguments: named } of completion.commands.values()) {
    const scenario = named.get('scenario');
    if (scenario === undefined) continue;
    scenario.handler = (complete) => {
      for (const name of scenarioNames()) complete(name, 'comes with svmsim');
    };
  }
  const command = program.commands.find((one) => one.name() === 'completion');
  if (command === undefined) return;
  command.summary('prints a script that completes commands and options in a shell');
  addExamples(command, [
    ['source <(svmsim completion bash)', 'for this shell'],
    ['svmsim completion zsh > ~/.svmsim.zsh', 'to be sourced from ~/.zshrc'],
  ]);
}
