/** Puts the fields of a message into consecutive words and takes them out again, by code that is made for each list of fields. */

import { assert } from '../base/assert.js';

/** What a ring slot, or a list that waits for one, is made of. */
export type Words = Float64Array | number[];

/**
 * Code that reads `values[name]` for whatever name a list holds is ten times as slow on this engine as code that says `values.page`, and messages
 * are what actors do most.
 */
export interface FieldCodec {
  /** Word `at` is the first field's. */
  write(words: Words, at: number, values: Readonly<Record<string, number>>): void;
  read(words: Words, at: number): Record<string, number>;
}

const IDENTIFIER = /^[A-Za-z][A-Za-z0-9]*$/;

/** Names come from the program itself, never from outside. */
export function fieldCodec(names: readonly string[]): FieldCodec {
  for (const name of names) assert(IDENTIFIER.test(name), () => `${name} is no name of a field`);
  const writes = names.map((name, i) => `words[at + ${i}] = values.${name};`);
  const reads = names.map((name, i) => `${name}: words[at + ${i}]`);
  return {
    write: new Function('words', 'at', 'values', writes.join(' ')) as FieldCodec['write'],
    read: new Function('words', 'at', `return { ${reads.join(', ')} };`) as FieldCodec['read'],
  };
}
