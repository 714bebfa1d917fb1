/** `svmsim schema`: prints the JSON Schema of a kind of file, for editors. */

import { Argument, type Command } from 'commander';
import { type FileKind, fileKinds } from '../scenario/fileKind.js';
import type { CliHost } from './cliHost.js';
import { addExamples } from './commonOptions.js';
import { ExitStatus } from './exitStatus.js';

export type SchemaRunner = (kind: FileKind) => Promise<void>;

export function addSchemaCommand(program: Command, action: SchemaRunner): void {
  const command = program
    .command('schema')
    .summary('prints the JSON Schema of a kind of file, for editors')
    .description('Editors complete and check files with it; scenarios of `svmsim init` name it already.')
    .addArgument(new Argument('<kind>', 'kind of file').choices(fileKinds))
    .action(action);
  addExamples(command, [['svmsim schema case > case.schema.json', 'completion for case files']]);
}

export async function schemaCommand(kind: FileKind, host: CliHost): Promise<ExitStatus> {
  host.stdout.write(`${JSON.stringify(await host.simulator.editorSchema(kind), null, 1)}\n`);
  return ExitStatus.Ok;
}
