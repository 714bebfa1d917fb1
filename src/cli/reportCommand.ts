/** `svmsim report`: makes a page of a run, of two runs, or of a failure. */

import { UserError } from '../base/userError.js';
import { reportOfFiles } from '../report/html/report.js';
import { formatBytes } from '../report/units.js';
import type { CliHost } from './cliHost.js';
import { ExitStatus } from './exitStatus.js';
import { withFailurePolicy } from './failurePolicy.js';
import { refusal } from './optionValues.js';
import { keepFilesApart, reportPages } from './outputFiles.js';
import { REPORT_FILE, REPORT_OPTION, type ReportOptions } from './reportOptions.js';
import { FileOutput } from './resultOutput.js';

export async function reportCommand(
  files: readonly string[],
  { output = REPORT_FILE, policy }: ReportOptions,
  host: CliHost,
): Promise<ExitStatus> {
  if (files.length > 2)
    throw new UserError({
      where: 'report',
      found: `${files.length} files`,
      allowed: 'one run, or two to compare',
    });
  keepFilesApart({ output, ...(policy === undefined ? {} : { policy }) }, files);
  const target = new FileOutput(REPORT_OPTION, output, reportPages);
  let isAsked = false;
  const page = await reportOfFiles(files, host.version, async (failure, file) => {
    isAsked = true;
    return (await withFailurePolicy(failure, file, policy, host)).failure;
  });
  if (policy !== undefined && !isAsked) throw refusal(`--policy ${policy}`, 'runs', 'with a failure file');
  target.write(() => page);
  host.stdout.write(`${output}: ${formatBytes(Buffer.byteLength(page))}\n`);
  return ExitStatus.Ok;
}
