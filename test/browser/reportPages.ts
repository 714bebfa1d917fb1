/** Reports of small runs and of a failure, made once for all tests that open them. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { encodeFailure } from '../../src/explore/failureFile.js';
import type { Trace } from '../../src/observe/trace/trace.js';
import { failureData } from '../../src/report/html/failureData.js';
import { checked, reportOfFiles, reportOfRuns, runData } from '../../src/report/html/report.js';
import type { FailureData, RunData } from '../../src/report/html/reportData.js';
import { runDocument } from '../../src/report/json.js';
import { loadScenario } from '../../src/scenario/loadScenario.js';
import { makeSimulation } from '../../src/simulation/makeSimulation.js';
import type { RunReport } from '../../src/simulation/runReport.js';
import type { SimulationConfig } from '../../src/simulation/simulationConfig.js';
import { someFailure } from '../explore/someFailure.js';
import { environment } from '../report/fixtures.js';

export const VERSION = '9.9.9';
/** A name that would do harm if it were taken for markup. */
export const HOSTILE = `</script><img src=x onerror="document.title='taken'"><b>"&amp;'`;

export interface Pages {
  readonly run: string;
  readonly pair: string;
  readonly withoutTrace: string;
  readonly hostile: string;
  readonly failure: string;
  readonly runs: readonly [RunData, RunData];
  readonly failed: FailureData;
}

export async function makePages(folder: string): Promise<Pages> {
  const written = (name: string, html: string): string => {
    const path = join(folder, name);
    writeFileSync(path, html);
    return pathToFileURL(path).href;
  };
  const runs = [await runOf('n1'), await runOf('one-to-one')] as const;
  const failureFile = join(folder, 'failure.bin');
  const failure = someFailure('B107');
  writeFileSync(failureFile, encodeFailure(failure, VERSION));
  const [first] = runs;
  const hostile = { ...first, scenario: HOSTILE, source: HOSTILE, trace: null };
  return {
    run: written('run.html', reportOfRuns([first], VERSION)),
    pair: written('pair.html', reportOfRuns(runs, VERSION)),
    withoutTrace: written('plain.html', reportOfRuns([{ ...first, trace: null }], VERSION)),
    hostile: written('hostile.html', reportOfRuns([hostile], VERSION)),
    failure: written('failure.html', await reportOfFiles([failureFile], VERSION, async (one) => one)),
    runs,
    failed: failureData(failureFile, failure),
  };
}

async function runOf(layout: 'n1' | 'one-to-one'): Promise<RunData> {
  const set = ['workloads.saxpy.elements=8192', 'workloads.pattern.rounds=2', 'invalidation.operations=20'];
  const config = { ...loadScenario('config/templates/scenario.yaml', { set, layout }), trace: true };
  const { report, trace } = await recorded(config);
  const document = runDocument(report, { command: 'run', config, environment });
  return runData(`${layout}.svmtrace`, checked('run.json', JSON.parse(JSON.stringify(document))), trace);
}

async function recorded(config: SimulationConfig): Promise<{ report: RunReport; trace: Trace }> {
  let trace: Trace | null = null;
  const report = await makeSimulation(config).run({
    onTrace: (made) => {
      trace = made;
    },
  });
  if (trace === null) throw new Error('nothing was recorded');
  return { report, trace };
}
