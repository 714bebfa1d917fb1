/** `svmsim import`: turns recordings of other tools into files that scenarios use. */

import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { UserError } from '../base/userError.js';
import { type ImportedRecording, importRecording, recordingFormats } from '../scenario/importRecording.js';
import type { CliHost } from './cliHost.js';
import { addExamples } from './commonOptions.js';
import { ExitStatus } from './exitStatus.js';
import { wholeNumber } from './optionValues.js';
import { keepFilesApart } from './outputFiles.js';
import { FileOutput } from './resultOutput.js';

const PID_MAX = 2 ** 22;

export interface ImportCommandOptions {
  readonly output?: string;
  readonly format?: (typeof recordingFormats)[number];
  readonly pid?: string;
  readonly force?: boolean;
}

export type ImportRunner = (file: string, options: ImportCommandOptions) => Promise<void>;

export function addImportCommand(program: Command, action: ImportRunner): void {
  const command = program
    .command('import')
    .summary('turns recordings of strace, perf trace, ftrace, or tables of accesses into workloads')
    .description(
      'Reads what strace, perf trace, ftrace (also by trace-cmd or perf script) or a program of your own has recorded, checks it line by line, and writes the file that a workload of a scenario names.',
    )
    .argument('<file>', 'the recording')
    .option('-o, --output <file>', 'what to write (default: the name of the recording with another ending)')
    .addOption(
      new Option('--format <name>', 'who has written it (default: by its first lines)').choices(
        recordingFormats,
      ),
    )
    .option('--pid <n>', 'of a recording of several processes: only this one and its threads')
    .option('--force', 'replaces a file that is there')
    .action(action);
  addExamples(command, [
    [
      'perf trace -o app.perf -e mmap,munmap,mprotect,brk,madvise,mremap ./app && svmsim import app.perf',
      'recorded by perf',
    ],
    ['svmsim import trace.txt --pid 4711', 'what one process of a trace buffer did, page faults included'],
    ['svmsim import accesses.csv -o checked.csv', 'accesses of GPUs: lines time,device,address,size,kind'],
  ]);
}

export async function importCommand(
  file: string,
  options: ImportCommandOptions,
  host: CliHost,
): Promise<ExitStatus> {
  const { format, pid, force } = options;
  const recording = importRecording(file, {
    ...(format === undefined ? {} : { format }),
    ...(pid === undefined ? {} : { pid: wholeNumber('--pid', pid, 1, PID_MAX) }),
  });
  const target = options.output ?? defaultName(file, recording);
  keepFilesApart({ output: target }, [file]);
  if (existsSync(target) && force !== true) {
    const allowed = 'a new file with -o, or --force';
    throw new UserError({ where: target, found: 'a file that is there already', allowed });
  }
  new FileOutput('--output', target).write(() => recording.text);
  host.stdout.write(
    `${target} (from ${recording.format}): ${recording.summary}\n${usage(target, recording.kind)}`,
  );
  return ExitStatus.Ok;
}

function defaultName(file: string, { kind }: ImportedRecording): string {
  const stem = basename(file).replace(/\.[^.]*$/, '');
  return kind === 'trace' ? `${stem}.strace` : `${stem}.accesses.csv`;
}

/** How a scenario names it. */
export function usage(file: string, kind: ImportedRecording['kind']): string {
  return ['In a scenario:', 'workloads:', `  - kind: ${kind}`, `    file: ${file}`, ''].join('\n');
}
