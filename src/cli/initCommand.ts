/** `svmsim init`: writes a commented scenario to start from. */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '../base/userError.js';
import { configDir } from '../scenario/presets.js';
import type { CliHost } from './cliHost.js';
import { addExamples } from './commonOptions.js';
import { ExitStatus } from './exitStatus.js';
import { refusal } from './optionValues.js';
import { FileOutput } from './resultOutput.js';

const DEFAULT_FILE = 'scenario.yaml';

export interface InitOptions {
  readonly force?: boolean;
}

export type InitRunner = (file: string | undefined, options: InitOptions) => Promise<void>;

export function addInitCommand(program: Command, action: InitRunner): void {
  const command = program
    .command('init')
    .summary('writes a commented scenario to start from')
    .description('Writes a small scenario in which every group of keys is explained.')
    .argument('[file]', `where to write it (default: ${DEFAULT_FILE})`)
    .option('--force', 'replaces a file that is there')
    .action(action);
  addExamples(command, [
    ['svmsim init my.yaml', 'then: svmsim run my.yaml'],
    ['svmsim init my.yaml --force', 'begins again'],
  ]);
}

export async function initCommand(
  file: string | undefined,
  { force }: InitOptions,
  host: CliHost,
): Promise<ExitStatus> {
  const path = file ?? DEFAULT_FILE;
  if (!/\.ya?ml$/.test(path)) throw refusal('init', path, 'a name that ends in .yaml');
  if (existsSync(path) && force !== true) {
    throw new UserError({
      where: path,
      found: 'a file that is there already',
      allowed: 'a new file, or --force',
    });
  }
  new FileOutput(null, path).write(() => scenarioFor(path));
  host.stdout.write(`${path} written. Next: svmsim run ${path}\n`);
  return ExitStatus.Ok;
}

/** The template, with a first line from which editors learn what its keys are. */
function scenarioFor(path: string): string {
  const template = readFileSync(join(configDir(), 'templates', DEFAULT_FILE), 'utf8');
  const schema = relative(dirname(resolve(path)), join(configDir(), 'schema', 'scenario.schema.json'));
  return `# yaml-language-server: $schema=${schema}\n${template.replaceAll('<this file>', path)}`;
}
