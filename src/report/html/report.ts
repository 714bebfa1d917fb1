/** Makes the HTML of a report of one run, of two to compare, or of a failure. */

import { UserError } from '../../base/userError.js';
import { decodeFailure, type Failure } from '../../explore/failureFile.js';
import { failureData } from './failureData.js';
import { htmlPage } from './htmlPage.js';
import { pageAssets } from './pageAssets.js';
import { readSource } from './readRun.js';
import type { ReportData, RunData } from './reportData.js';

export { checked, runData } from './readRun.js';

/** A failure is `prepared` before it is played. Rejects with a UserError for files that no report can be made of. */
export async function reportOfFiles(
  paths: readonly string[],
  version: string,
  prepared: (failure: Failure, path: string) => Promise<Failure>,
): Promise<string> {
  const [first, second] = paths.map(readSource);
  if (second === undefined && first.kind === 'failure') {
    const decoded = decodeFailure(first.bytes, paths[0], version);
    const failure = failureData(paths[0], await prepared(decoded, paths[0]));
    return html({ svmsim: version, title: `${failure.name}: ${failure.verdict.title}`, runs: [], failure });
  }
  const runs = [first, second].flatMap((source, i) => {
    if (source === undefined) return [];
    if (source.kind === 'run') return [source.run];
    throw new UserError({
      where: paths[i],
      found: 'a failure file',
      allowed: 'runs, where two are compared',
    });
  });
  return reportOfRuns(runs, version);
}

export function reportOfRuns(runs: readonly RunData[], version: string): string {
  return html({ svmsim: version, title: titleOf(runs), runs, failure: null });
}

function html(data: ReportData): string {
  return htmlPage(data, pageAssets());
}

function titleOf(runs: readonly RunData[]): string {
  const [{ scenario, executor, seed }, after] = runs;
  const head = `${scenario}, ${executor}, seed ${seed}`;
  if (after === undefined) return head;
  return `${head} against ${after.scenario}, ${after.executor}, seed ${after.seed}`;
}
