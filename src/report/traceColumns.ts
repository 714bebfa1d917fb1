/** The steps of a run as text: a column for each actor, a line for each step. */

import type { TraceLine } from '../explore/replayTrace.js';

const STEP_WIDTH = 6;
const INDENT = 4;

/** Columns are told apart by how far a line is set in, so that long steps need not be cut to fit beside one another. */
export class TraceColumns {
  private lastStep = -1;

  constructor(private readonly width: number) {}

  line({ step, actor, text }: TraceLine): string {
    const number = step === this.lastStep ? '' : String(step);
    this.lastStep = step;
    const line = `${number.padStart(STEP_WIDTH)}  ${' '.repeat(INDENT * actor)}${text}`;
    return `${line.length > this.width ? `${line.slice(0, Math.max(1, this.width - 1))}…` : line}\n`;
  }
}
