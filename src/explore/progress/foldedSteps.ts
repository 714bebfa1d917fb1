/** Tells what came again and again once, and how often: the round of a livelock is long, and most of it alike. */

/** Lines that are looked for as one thing that comes again. */
const BLOCK_MAX = 16;

interface Block {
  readonly length: number;
  readonly times: number;
}

/** In order. What comes once is told as it is. */
export function foldedSteps(lines: readonly string[]): string[] {
  const told: string[] = [];
  let at = 0;
  while (at < lines.length) {
    const { length, times } = blockAt(lines, at);
    const block = lines.slice(at, at + length);
    if (times === 1) told.push(...block);
    else if (length === 1) told.push(`${block[0]}, ${times} times`);
    else told.push(...block, `(these ${length} came ${times} times)`);
    at += length * times;
  }
  return told;
}

/** Of those that begin there the one that leaves out most; of equal ones the shortest. */
function blockAt(lines: readonly string[], at: number): Block {
  let best: Block = { length: 1, times: timesOf(lines, at, 1) };
  for (let length = 2; length <= BLOCK_MAX; length++) {
    const times = timesOf(lines, at, length);
    if (length * (times - 1) > best.length * (best.times - 1)) best = { length, times };
  }
  return best;
}

/** How often the lines come one after the other. */
function timesOf(lines: readonly string[], at: number, length: number): number {
  let times = 1;
  let next = at + length;
  while (next + length <= lines.length && isSame(lines, at, next, length)) {
    times++;
    next += length;
  }
  return times;
}

function isSame(lines: readonly string[], a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (lines[a + i] !== lines[b + i]) return false;
  return true;
}
