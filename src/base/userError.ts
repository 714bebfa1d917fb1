/** The one exception for everything a user can get wrong: a file, a key, an option, more than the machine has. */

/** Where the mistake is and what it is; every part that is known. */
export interface UserMistake {
  /** File as the user named it, or the option as typed (`--set ram=0`). */
  readonly where?: string;
  /** Line in that file, from 1. */
  readonly line?: number;
  /** Column in that line, from 1. */
  readonly column?: number;
  /** Key with its path: `svm.chunks`. */
  readonly key?: string;
  readonly found: string;
  readonly allowed: string;
  /** What may help: a key that was perhaps meant, the other place that is involved. */
  readonly hint?: string;
}

const FOUND_CHARS_MAX = 160;

/** Printed as its message alone, without a stack trace; the process ends with {@link UserError.exitCode}. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly exitCode = 2;
  readonly where: string | undefined;
  readonly line: number | undefined;
  readonly key: string | undefined;
  readonly found: string;
  readonly allowed: string;
  readonly hint: string | undefined;

  /** All that it was made of: plain data, from which another thread can make it again. */
  readonly mistake: UserMistake;

  constructor(mistake: UserMistake) {
    const found = oneLine(mistake.found);
    super(formatMistake({ ...mistake, found }));
    this.where = mistake.where;
    this.line = mistake.line;
    this.key = mistake.key;
    this.found = found;
    this.allowed = mistake.allowed;
    this.hint = mistake.hint;
    this.mistake = mistake;
  }
}

/** `file:line:column: key 'svm.chunks': found [64KiB], allowed: ... (hint)`. */
function formatMistake(mistake: UserMistake): string {
  const { key, found, allowed, hint } = mistake;
  const numbers = [mistake.where, mistake.line, mistake.column].filter((part) => part !== undefined);
  const place = mistake.where === undefined ? '' : `${numbers.join(':')}: `;
  const named = key === undefined ? '' : `key '${key}': `;
  return `${place}${named}found ${found}, allowed: ${allowed}${hint === undefined ? '' : ` (${hint})`}`;
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > FOUND_CHARS_MAX ? `${line.slice(0, FOUND_CHARS_MAX)}...` : line;
}
