/** What one line of another tool's trace says, before it is written as strace would. */

import type { TraceLine } from '../traceError.js';

/** Arguments by their names in the kernel; one that is missing was zero, which some tools leave out. */
export type NamedArguments = ReadonlyMap<string, string>;

interface Spoken {
  /** Of the thread. */
  readonly pid: number;
  /** From some moment on; null where the line has no time. */
  readonly seconds: number | null;
}

/**
 * `call`: a whole call. `begun` and `ended`: its two halves. `touch`: an access that faulted. `other`: nothing that concerns memory, or that
 * does not say which address it is about; `what` counts it.
 */
export type ImportedItem =
  | (Spoken & {
      readonly kind: 'call';
      readonly name: string;
      readonly args: NamedArguments;
      readonly result: string;
    })
  | (Spoken & { readonly kind: 'begun'; readonly name: string; readonly args: NamedArguments })
  | (Spoken & { readonly kind: 'ended'; readonly name: string; readonly result: string })
  | (Spoken & { readonly kind: 'touch'; readonly address: number; readonly isWrite: boolean })
  | { readonly kind: 'other'; readonly what: string };

/** Reads lines one by one, in order. @throws TraceError for a line that the tool does not print. */
export type LineReader = (line: string, where: TraceLine) => ImportedItem;

/** `name: value, name: value`. */
export function namedArguments(text: string): NamedArguments {
  const args = new Map<string, string>();
  for (const part of text.split(', ')) {
    const colon = part.indexOf(': ');
    if (colon > 0) args.set(part.slice(0, colon).trim(), part.slice(colon + 2).trim());
  }
  return args;
}
