/** `svmsim report`: makes a page of a run, of two runs, or of a failure. */

import { UserError } from '../base/userError.js';
import { reportOfFiles } from '../report/html/report.js';
import { formatBytes } from '../report/units.js';
import type { CliHost } from './cliHost.js';
import { ExitStatus } from './exitStatus.js';
import { keepFilesApart, reportPages } from './outputFiles.js';
import { REPORT_FILE, REPORT_OPTION, type ReportOptions } from './reportOptions.js';
import { FileOutput } from './resultOutput.js';

export async function reportCommand(
  files: readonly string[],
  { output = REPORT_FILE }: ReportOptions,
  host: CliHost,
): Promise<ExitStatus> {
  if (files.length > 2)
    throw new UserError({
      where: 'report',
      found: `${files.length} files`,
      allowed: 'one run, or two to compare',
    });
  keepFilesApart({ output }, files);
  const target = new FileOutput(REPORT_OPTION, output, reportPages);
  const page = reportOfFiles(files, host.version);
  target.write(() => page);
  host.stdout.write(`${output}: ${formatBytes(Buffer.byteLength(page))}\n`);
  return ExitStatus.Ok;
}
