/** `svmsim record`: records a program's memory calls with strace. */

import { spawn } from 'node:child_process';
import { constants as access, accessSync, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, delimiter, resolve } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '../base/userError.js';
import { describeRecording } from '../scenario/importRecording.js';
import type { CliHost } from './cliHost.js';
import { addExamples } from './commonOptions.js';
import { usage } from './importCommand.js';
import { refusal } from './optionValues.js';
import { recordings } from './outputFiles.js';
import { FileOutput } from './resultOutput.js';

/** What shells report of a program that a signal has ended. */
const SIGNAL_STATUS = 128;

export interface RecordCommandOptions {
  readonly output?: string;
  readonly quiet?: boolean;
}

/** How a program ended: its status, as a shell would say it, or null when there is no such program. `command` is what it starts in its turn. */
export type Launch = (program: string, args: readonly string[], command: string) => Promise<number | null>;

export type RecordRunner = (words: string[], options: RecordCommandOptions) => Promise<void>;

export function addRecordCommand(program: Command, action: RecordRunner): void {
  const command = program
    .command('record')
    .summary("records a program's memory calls, for workloads of the kind trace")
    .description(
      'Runs a command under strace, with its threads and children, and writes the system calls that change its memory. The exit status is that of the command.',
    )
    .argument('<command...>', 'what to run, after --')
    .option('-o, --output <file>', 'what to write (default: the name of the program with the ending .strace)')
    .option('--quiet', 'says nothing of what was recorded')
    .action(action);
  addExamples(command, [
    ['svmsim record -- sort --parallel=4 big.txt', 'writes sort.strace'],
    ['svmsim record -o app.strace -- ./app --size 100', 'into a file of another name'],
  ]);
}

/** The status is that of the command: {@link addRecordCommand}. */
export async function recordCommand(
  words: readonly string[],
  { output, quiet }: RecordCommandOptions,
  host: CliHost,
  launch: Launch = launchProgram,
): Promise<number> {
  const [program = ''] = words;
  const file = output ?? `${basename(program)}.strace`;
  // Whether it can be written is known before the program has run.
  new FileOutput('--output', file, recordings);
  if (existsSync(file) && !statSync(file).isFile())
    throw refusal(`--output ${file}`, 'something else than a file', 'a new file, or an earlier recording');
  // What was there before stays until there is something to put in its place.
  const partial = `${file}.${process.pid}.partial`;
  const strace = ['-f', '-qq', '-ttt', '-o', partial, '-e', 'trace=%memory,%process', '--', ...words];
  // What stops the program does not stop its recording.
  const status = await host.interruptible(
    () => launch('strace', strace, program),
    () => {},
  );
  const isRecorded = status !== null && (statSync(partial, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (isRecorded) renameSync(partial, file);
  else rmSync(partial, { force: true });
  if (status === null) {
    throw new UserError({
      where: 'record',
      found: 'no strace on this machine',
      allowed: 'strace in one of the folders of PATH (Debian and Ubuntu: apt install strace)',
    });
  }
  if (!isRecorded) throw cannotStart(program);
  const summary = summaryOf(file);
  if (quiet !== true) {
    const ended = status === 0 ? '' : `svmsim: ${program} ended with status ${status}\n`;
    host.stderr.write(`${ended}svmsim: ${file}: ${summary}\n${usage(file, 'trace')}`);
  }
  return status;
}

/** What it holds, or why that cannot be told: the program has run, and its status is what counts. */
function summaryOf(file: string): string {
  try {
    return describeRecording(file);
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

function cannotStart(command: string): UserError {
  return refusal('record', `${command === '' ? "''" : command}, which cannot be started`, 'a program');
}

/** strace says in its own words what it cannot start: so it is not asked to. @throws UserError */
async function launchProgram(
  program: string,
  args: readonly string[],
  command: string,
): Promise<number | null> {
  if (isProgram(program) && !isProgram(command)) throw cannotStart(command);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit' });
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve(null);
      else reject(error);
    });
    child.on('exit', (code, signal) =>
      resolve(code ?? SIGNAL_STATUS + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}

/** As a shell looks for it: by its path, or in the folders of PATH. */
function isProgram(command: string): boolean {
  const folders = command.includes('/') ? ['.'] : (process.env.PATH ?? '').split(delimiter);
  return folders.some((folder) => isExecutable(resolve(folder, command)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, access.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
