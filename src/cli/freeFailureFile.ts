/** Where a failure is written whose finder gave the file no name: one that was found before is not lost for that. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';

const NAME = 'svmsim-failure';

/** `svmsim-failure.bin`, `svmsim-failure-2.bin` and so on: the first that is not there. */
export function freeFailureFile(folder = ''): string {
  let file = join(folder, `${NAME}.bin`);
  for (let n = 2; existsSync(file); n++) file = join(folder, `${NAME}-${n}.bin`);
  return file;
}
