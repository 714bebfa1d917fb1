/** The one exception for a recorded program that cannot be read: which file and line, what is there, what may be there. */

const MAX_FOUND_CHARS = 160;

/** A place in a recorded program; lines count from 1. */
export interface TraceLine {
  readonly fileName: string;
  readonly line: number;
}

/** A user mistake, so never an Errno: the trace file is empty, cut, edited or not a trace at all. */
export class TraceError extends Error {
  override readonly name = 'TraceError';
  readonly fileName: string;
  readonly line: number;
  readonly found: string;
  readonly allowed: string;

  constructor(where: TraceLine, found: string, allowed: string) {
    const shown = found.length > MAX_FOUND_CHARS ? `${found.slice(0, MAX_FOUND_CHARS)}...` : found;
    super(`${where.fileName}:${where.line}: found ${shown}; allowed: ${allowed}`);
    this.fileName = where.fileName;
    this.line = where.line;
    this.found = shown;
    this.allowed = allowed;
  }
}
