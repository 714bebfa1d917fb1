/** The steps of a run as text: a column for each actor, a line for each step. */

import type { TraceLine } from '../explore/replay/replay.js';

const STEP_WIDTH = 6;
const COLUMN = 4;
/** Below this, cutting lines would leave nothing to read. */
const TEXT_MIN = 20;

/** The text of a step begins in the column of its actor and may go on to the right of it: in one step only one actor does something. */
export class TraceColumns {
  private isStanding = false;

  constructor(
    /** Longer lines go on in the next one, in the same column; infinite for none. */
    private readonly width: number,
  ) {}

  /** The names of the columns, each above its own. */
  head(actors: readonly string[]): string {
    const names = actors.map((name, i) => `${' '.repeat(STEP_WIDTH)}  ${guides(i)}${name}\n`);
    return `${'step'.padStart(STEP_WIDTH)}\n${names.join('')}`;
  }

  line({ step, actor, kind, text }: TraceLine): string {
    const number = kind === 'step' ? String(step) : '';
    const title = kind === 'standing' && !this.isStanding ? 'where everybody is:\n' : '';
    this.isStanding = kind === 'standing';
    const shown = kind === 'page' ? `  ${text}` : text;
    const lines = this.cut(shown, TEXT_MIN, this.width - STEP_WIDTH - 2 - COLUMN * actor);
    const first = `${number.padStart(STEP_WIDTH)}  ${guides(actor)}`;
    const next = `${' '.repeat(STEP_WIDTH)}  ${guides(actor)}    `;
    return `${title}${lines.map((part, i) => `${i === 0 ? first : next}${part}\n`).join('')}`;
  }

  /** At spaces, where there are any. */
  private cut(text: string, least: number, room: number): string[] {
    const lines: string[] = [];
    let rest = text;
    for (let fits = Math.max(least, room); rest.length > fits; fits = Math.max(least, room - COLUMN)) {
      const space = rest.lastIndexOf(' ', fits);
      const end = space > fits / 2 ? space : fits;
      lines.push(rest.slice(0, end));
      rest = rest.slice(end).trimStart();
    }
    return [...lines, rest];
  }
}

function guides(actor: number): string {
  return '|'.padEnd(COLUMN).repeat(actor);
}
