/** svmsim's own trace files: a head in msgpackr, then the words as they were recorded. */

import { readFileSync } from 'node:fs';
import { Packr } from 'msgpackr';
import { z } from 'zod';
import { UserError } from '../../base/userError.js';
import type { Trace } from '../../observe/trace/trace.js';
import type { TextOrBytes } from './traceFormat.js';

const MAGIC = 'svmtrace';
/** Changes with the form of the file. */
const FORMAT = 2;
const WORD_BYTES = 8;
/** Magic, format, bytes of the head: texts and numbers of fixed width, so that the rest is at a known place. */
const PREFIX_BYTES = MAGIC.length + 8;
const FILE_BYTES_MAX = 2 ** 31 - 1;
const WHAT = 'a trace file that svmsim wrote with --trace FILE.svmtrace';

const headSchema = z.object({
  scenario: z.string(),
  executor: z.enum(['virtual', 'threads']),
  seed: z.number(),
  actors: z.array(z.string()),
  devices: z.number().int().min(0),
  steps: z.array(
    z.object({
      name: z.string(),
      fields: z.array(
        z.enum([
          'vpn',
          'npages',
          'pfn',
          'device',
          'errno',
          'bytes',
          'ns',
          'count',
          'id',
          'flags',
          'event',
          'load',
        ]),
      ),
    }),
  ),
  messages: z.array(z.string()),
  /** Words of each ring. */
  ringWords: z.array(z.number().int().min(0)),
  document: z.unknown().optional(),
  events: z.number().int().min(0),
  dropped: z.number().int().min(0),
});

/** What a file holds: the recorded run, and the JSON document of its result where there was one. */
export interface TraceFile {
  readonly trace: Trace;
  readonly document: unknown;
}

export function isTraceFile(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, MAGIC.length)).toString('latin1') === MAGIC;
}

export function writeTraceFile(
  trace: Trace,
  write: (piece: TextOrBytes) => void,
  document: object | null = null,
): void {
  const { rings, ...rest } = trace;
  const ringWords = rings.map((chunks) => chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  const head = new Packr().pack({ ...rest, ringWords, document });
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.write(MAGIC, 'latin1');
  prefix.writeUInt32LE(FORMAT, MAGIC.length);
  prefix.writeUInt32LE(head.length, MAGIC.length + 4);
  write(prefix);
  write(head);
  for (const chunk of rings.flat()) write(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
}

/** @throws UserError for anything that is no whole trace file of this format. */
export function readTraceFile(path: string): TraceFile {
  const bytes = readBytes(path);
  if (bytes.length < PREFIX_BYTES || !isTraceFile(bytes)) throw refusal(path, 'something else');
  const format = bytes.readUInt32LE(MAGIC.length);
  if (format !== FORMAT) throw refusal(path, `a trace file of format ${format}`, `format ${FORMAT}`);
  const headBytes = bytes.readUInt32LE(MAGIC.length + 4);
  const head = readHead(path, bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + headBytes));
  const { ringWords, document = null, ...rest } = head;
  const wordsAt = PREFIX_BYTES + headBytes;
  const wanted = wordsAt + WORD_BYTES * ringWords.reduce((sum, words) => sum + words, 0);
  if (bytes.length !== wanted)
    throw refusal(path, `${bytes.length} bytes`, `the ${wanted} bytes that its head tells of`);
  return { trace: { ...rest, rings: splitWords(bytes.subarray(wordsAt), ringWords) }, document };
}

function splitWords(bytes: Buffer, ringWords: readonly number[]): Float64Array[][] {
  const words = new Float64Array(bytes.length / WORD_BYTES);
  new Uint8Array(words.buffer).set(bytes);
  let at = 0;
  return ringWords.map((count) => {
    at += count;
    return [words.subarray(at - count, at)];
  });
}

function readHead(path: string, bytes: Buffer): z.infer<typeof headSchema> {
  try {
    return headSchema.parse(new Packr().unpack(bytes));
  } catch {
    throw refusal(path, 'a head that cannot be read');
  }
}

function readBytes(path: string): Buffer {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > FILE_BYTES_MAX)
      throw refusal(path, `${bytes.length} bytes`, `at most ${FILE_BYTES_MAX} bytes`);
    return bytes;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw refusal(path, error instanceof Error ? error.message : String(error));
  }
}

function refusal(where: string, found: string, allowed = WHAT): UserError {
  return new UserError({ where, found, allowed });
}
