/** The command line as a whole: its commands, its help, and the status that it ends with. */

import { Command, CommanderError } from 'commander';
import { errorDocument, jsonText } from '../report/json.js';
import { addBenchCommand, benchCommand } from './benchCommand.js';
import { addBugsCommand } from './bugsOptions.js';
import { addCaseCommand, caseCommand } from './caseCommand.js';
import type { CliHost } from './cliHost.js';
import type { CommonOptions } from './commonOptions.js';
import { addCompletionCommand } from './completionCommand.js';
import { refuseEmptyNames } from './emptyNames.js';
import { answerTo, ExitStatus, wantsStack } from './exitStatus.js';
import { addExploreCommand, addReplayCommand } from './exploreOptions.js';
import { addHelpCommand } from './helpCommand.js';
import { addImportCommand, importCommand } from './importCommand.js';
import { addInitCommand, initCommand } from './initCommand.js';
import { refuseSecondFiles } from './onceOnly.js';
import { addRecordCommand, recordCommand } from './recordCommand.js';
import { addReportCommand } from './reportOptions.js';
import { withErrorDocument } from './resultOutput.js';
import { addRunCommand, runCommand } from './runCommand.js';
import { scenarioNames } from './scenarioPath.js';
import { addSchemaCommand, schemaCommand } from './schemaCommand.js';
import { addStressCommand, stressCommand } from './stressCommand.js';
import { addTopCommand, topCommand } from './topCommand.js';
import { hasUnknownWord, withoutHelp } from './unknownWords.js';
import { addValidateCommand, validateCommand } from './validateCommand.js';

/** Runs one command line (without the program's name) to its end; never throws. The status is an {@link ExitStatus}, or that of a command that was recorded. */
export async function runCli(words: readonly string[], host: CliHost): Promise<number> {
  let status: number = ExitStatus.Ok;
  const program = buildProgram(host, (ended) => {
    status = ended;
  });
  try {
    const asked = withoutHelp(words);
    const hidesMistake =
      asked.length < words.length &&
      (await hasUnknownWord(
        buildProgram(host, () => {}),
        asked,
      ));
    await program.parseAsync([...(hidesMistake ? asked : words)], { from: 'user' });
    return status;
  } catch (error) {
    const answer = answerTo(error, wantsStack(host));
    if (answer.message !== null) host.stderr.write(`${answer.message}\n`);
    if (error instanceof CommanderError && error.exitCode !== 0) tellRefusal(words, error.message, host);
    return answer.status;
  }
}

/** What the parser of options refuses no command has seen; whoever reads documents gets one all the same. */
function tellRefusal(words: readonly string[], message: string, host: CliHost): void {
  // What stands behind it is for another program.
  const end = words.indexOf('--');
  const own = end < 0 ? words : words.slice(0, end);
  const asks = own.some((word, i) => word === '--json=-' || (word === '--json' && own[i + 1] === '-'));
  if (!asks) return;
  const command = own.find((word) => !word.startsWith('-')) ?? '';
  const document = errorDocument(command, message.replace(/^error: /, ''), host.environment());
  host.stdout.write(jsonText(document));
}

/** The commands; `ended` hears of the status of the one that has run. */
export function buildProgram(host: CliHost, ended: (status: number) => void): Command {
  const program = new Command('svmsim')
    .description(
      'Simulates shared virtual memory across several GPUs: one CPU address space, mirrored by N devices.',
    )
    .version(host.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      writeErr: (text) => host.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'svmsim: ')),
      getOutHelpWidth: () => host.stdout.columns,
      getErrHelpWidth: () => host.stderr.columns,
    })
    .showHelpAfterError('(--help shows commands, options and examples)')
    .addHelpText('after', programNotes());
  const acting = <O extends Pick<CommonOptions, 'json'>>(
    command: string,
    options: O,
    work: () => Promise<ExitStatus>,
  ) => withErrorDocument(host, command, options.json, work).then(ended);
  addRunCommand(program, (scenario, options) =>
    acting('run', options, () => runCommand(scenario, options, host)),
  );
  addStressCommand(program, (scenario, options) =>
    acting('stress', options, () => stressCommand(scenario, options, host)),
  );
  addTopCommand(program, (scenario, options) =>
    acting('top', options, () => topCommand(scenario, options, host)),
  );
  addBenchCommand(program, (names, options) =>
    acting('bench', options, () => benchCommand(names, options, host)),
  );
  addExploreCommand(program, (file, options) =>
    acting('explore', options, async () =>
      (await import('./exploreCommand.js')).exploreCommand(file, options, host),
    ),
  );
  addReplayCommand(program, (file, options) =>
    acting('replay', {}, async () => (await import('./replayCommand.js')).replayCommand(file, options, host)),
  );
  addCaseCommand(program, (files, options) =>
    acting('case', options, () => caseCommand(files, options, host)),
  );
  addBugsCommand(program, (id, options) =>
    acting('bugs', options, async () => (await import('./bugsCommand.js')).bugsCommand(id, options, host)),
  );
  addRecordCommand(program, (words, options) => recordCommand(words, options, host).then(ended));
  addImportCommand(program, (file, options) => importCommand(file, options, host).then(ended));
  addReportCommand(program, (files, options) =>
    acting('report', {}, async () =>
      (await import('./reportCommand.js')).reportCommand(files, options, host),
    ),
  );
  addInitCommand(program, (file, options) => initCommand(file, options, host).then(ended));
  addValidateCommand(program, (files, options) => validateCommand(files, options, host).then(ended));
  addSchemaCommand(program, (kind) => schemaCommand(kind, host).then(ended));
  addHelpCommand(program);
  addCompletionCommand(program);
  refuseSecondFiles(program);
  program.hook('preAction', async (_program, command) => {
    const { json } = command.opts<Pick<CommonOptions, 'json'>>();
    await withErrorDocument(host, command.name(), json, async () => {
      refuseEmptyNames(command);
      return ExitStatus.Ok;
    });
  });
  return program;
}

function programNotes(): string {
  return [
    '',
    'Examples:',
    '  # four GPUs in threads of their own mirror one address space',
    '  svmsim run',
    '  # invalidations against eight GPUs for 20 seconds',
    '  svmsim stress --seconds 20',
    '  # GB/s between RAM and devices, by size',
    '  svmsim bench migrate',
    '  # thousands of schedules of a small race, looking for one that goes wrong',
    '  svmsim explore',
    '  # test suites of others, replayed',
    '  svmsim case test/cases',
    "  # a program's memory calls, as a workload",
    '  svmsim record -- sort --parallel=4 big.txt',
    '  # a scenario of your own',
    '  svmsim init my.yaml',
    '  # options and examples of a command',
    '  svmsim run --help',
    '',
    `Scenarios that come with svmsim: ${scenarioNames().join(', ')}`,
    '',
    'Exit status:',
    '  0 all checks hold   1 a check failed   2 bad input or usage   3 internal error   130 interrupted',
    '',
    'Results go to standard output, progress and errors to standard error. NO_COLOR turns colours off.',
  ].join('\n');
}
