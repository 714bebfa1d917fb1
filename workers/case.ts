/** Worker of `svmsim case`: replays one case for each task. */

import type { CaseTask } from '../src/cli/cliHost.js';
import { answering, type TaskAnswer } from '../src/cli/taskAnswer.js';
import type { CaseReport } from '../src/simulation/case/caseReport.js';
import { runCase } from '../src/simulation/case/runCase.js';

export default function runTask({ one, options }: CaseTask): Promise<TaskAnswer<CaseReport>> {
  return answering(() => runCase(one, options));
}
