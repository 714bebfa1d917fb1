/** svmsim's own trace files: a head in msgpackr, then the words as they were recorded, and a digest of both. */

import { createHash } from 'node:crypto';
import { Packr } from 'msgpackr';
import { z } from 'zod';
import { readBytesFile } from '../../base/readBytesFile.js';
import { UserError } from '../../base/userError.js';
import { stepFields } from '../../observe/stepCatalog.js';
import type { Trace } from '../../observe/trace/trace.js';
import type { TextOrBytes } from './traceFormat.js';

const MAGIC = 'svmtrace';
/** Changes with the form of the file. */
const FORMAT = 4;
const WORD_BYTES = 8;
const DIGEST = 'sha256';
const DIGEST_BYTES = 32;
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
      fields: z.array(z.enum(stepFields)),
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
  const digest = createHash(DIGEST);
  const put = (piece: Uint8Array): void => {
    digest.update(piece);
    write(piece);
  };
  put(prefix);
  put(head);
  for (const chunk of rings.flat()) put(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  write(digest.digest());
}

/** `bytes` is the content, where that is known. @throws UserError for anything that is no whole trace file of this format. */
export function readTraceFile(path: string, bytes: Buffer = readBytes(path)): TraceFile {
  if (bytes.length < PREFIX_BYTES || !isTraceFile(bytes)) throw refusal(path, 'something else');
  const format = bytes.readUInt32LE(MAGIC.length);
  if (format !== FORMAT) throw refusal(path, `a trace file of format ${format}`, `format ${FORMAT}`);
  const headBytes = bytes.readUInt32LE(MAGIC.length + 4);
  const wordsAt = PREFIX_BYTES + headBytes;
  const head = readHead(path, bytes.subarray(PREFIX_BYTES, wordsAt));
  const { ringWords, document = null, ...rest } = head;
  const wordsEnd = wordsAt + WORD_BYTES * ringWords.reduce((sum, words) => sum + words, 0);
  const wanted = wordsEnd + DIGEST_BYTES;
  if (bytes.length !== wanted)
    throw refusal(path, `${bytes.length} bytes`, `the ${wanted} bytes that its head tells of`);
  const digest = createHash(DIGEST).update(bytes.subarray(0, wordsEnd)).digest();
  if (!digest.equals(bytes.subarray(wordsEnd))) throw refusal(path, 'a file that was altered');
  return { trace: { ...rest, rings: splitWords(bytes.subarray(wordsAt, wordsEnd), ringWords) }, document };
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
  return readBytesFile(path, FILE_BYTES_MAX, (found) => refusal(path, found));
}

function refusal(where: string, found: string, allowed = WHAT): UserError {
  return new UserError({ where, found, allowed });
}
