/** `svmsim validate`: checks files without running anything. */

import { type Command, Option } from 'commander';
import { UserError } from '../base/userError.js';
import { type FileKind, fileKinds } from '../scenario/fileKind.js';
import type { CliHost } from './cliHost.js';
import { addExamples } from './commonOptions.js';
import { ExitStatus } from './exitStatus.js';
import { shippedPath } from './shippedPath.js';

export interface ValidateOptions {
  readonly kind?: FileKind;
  readonly quiet?: boolean;
}

export type ValidateRunner = (files: string[], options: ValidateOptions) => Promise<void>;

export function addValidateCommand(program: Command, action: ValidateRunner): void {
  const command = program
    .command('validate')
    .summary('checks scenarios, cost presets and case files without running them')
    .description('Reads each file as a run would and tells the first mistake in it, with line and key.')
    .argument('<file...>', 'scenarios and presets (.yaml), case files (.json), folders with case files')
    .addOption(
      new Option('--kind <kind>', 'what the files are (default: by name and content)').choices(fileKinds),
    )
    .option('--quiet', 'says nothing of files without a mistake')
    .action(action);
  addExamples(command, [
    ['svmsim validate my.yaml', 'one scenario'],
    ['svmsim validate config/presets/plain.yaml test/cases', 'a preset, and all cases of a folder'],
    ['svmsim validate --kind preset numbers.yaml --quiet', 'for scripts: the exit status says it all'],
  ]);
}

/** Every file is looked at, whatever was wrong with those before it. */
export async function validateCommand(
  files: readonly string[],
  { kind, quiet }: ValidateOptions,
  host: CliHost,
): Promise<ExitStatus> {
  let status: ExitStatus = ExitStatus.Ok;
  for (const file of files) {
    try {
      const checked = await host.simulator.checkFile(shippedPath(file), kind);
      if (quiet !== true) host.stdout.write(`${file}: a ${checked.kind} file, valid: ${checked.content}\n`);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      host.stderr.write(`svmsim: ${error.message}\n`);
      status = ExitStatus.BadInput;
    }
  }
  return status;
}
