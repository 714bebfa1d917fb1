/** How long a hypervisor has kept the processors of this machine for others: what is measured meanwhile is slower for no reason of its own. */

import { readFileSync } from 'node:fs';

/** Of the lines of /proc/stat that of all processors together, whose eighth figure is the stolen time. */
const STOLEN = /^cpu\s+(?:\d+\s+){7}(\d+)/m;
/** Linux tells times in hundredths of a second, whatever its own clock. */
const TICK_MS = 10;

/** Of all processors together, since the machine began; null where nobody tells. */
export function stolenMs(file = '/proc/stat'): number | null {
  try {
    const ticks = STOLEN.exec(readFileSync(file, 'latin1'))?.[1];
    return ticks === undefined ? null : Number(ticks) * TICK_MS;
  } catch {
    // Another system than Linux.
    return null;
  }
}
