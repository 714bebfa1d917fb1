/** Worker of `svmsim explore`: runs one block of schedules for each task. */

import type { ExploreTask } from '../src/cli/cliHost.js';
import { type BlockResult, runBlock } from '../src/explore/block.js';

export default function runTask({ block, stopAtFirst }: ExploreTask): BlockResult {
  return runBlock(block, stopAtFirst);
}
