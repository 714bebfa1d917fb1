/** Makes the HTML of a report of one run, of two to compare, or of a failure. */

import { UserError } from '../../base/userError.js';
import { failureData } from './failureData.js';
import { htmlPage } from './htmlPage.js';
import { pageAssets } from './pageAssets.js';
import { readSource } from './readRun.js';
import type { ReportData, RunData } from './reportData.js';

export { checked, runData } from './readRun.js';

/** @throws UserError for files that no report can be made of. */
export function reportOfFiles(paths: readonly string[], version: string): string {
  const [first, second] = paths.map(readSource);
  if (second === undefined && first.kind === 'failure') {
    const failure = failureData(paths[0], first.bytes, version);
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
