/** Worker of `svmsim explore`: runs one block of schedules for each task. */

import type { ExploreTask } from '../src/cli/cliHost.js';
import { answering, type TaskAnswer } from '../src/cli/taskAnswer.js';
import { type BlockResult, runBlock } from '../src/explore/block.js';
import { withOwnCode } from '../src/explore/ownCode.js';

export default function runTask({ block, stopAtFirst }: ExploreTask): Promise<TaskAnswer<BlockResult>> {
  return answering(async () => runBlock({ ...block, target: await withOwnCode(block.target) }, stopAtFirst));
}
