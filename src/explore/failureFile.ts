/** The file that repeats a failing run: what was run with all files that it read, with which bug, and every choice. It needs no random generator. */

import { createHash } from 'node:crypto';
import { pack, unpack } from 'msgpackr';
import { z } from 'zod';
import { UserError } from '../base/userError.js';
import type { SubjectSource } from '../bugs/bugOverlay.js';
import { findBug } from '../bugs/catalogue.js';
import { verdictKinds } from '../bugs/verdictKind.js';
import { caseSchema } from '../case/caseSchema.js';
import { withoutFunctions } from './ownCode.js';
import { STEPS_MAX } from './subjectRunner.js';
import { areCheckers, type ExplorationTarget } from './target.js';
import type { Verdict } from './verdict.js';

/** How such a file begins. */
export const MAGIC = 'svmsim failure\n';
const FORMAT = 4;
const DIGEST_BYTES = 32;
const ALLOWED = 'a failure file that svmsim explore has written';

const sourceSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('case'), program: caseSchema }),
  z.strictObject({
    kind: z.literal('scenario'),
    path: z.string(),
    text: z.string(),
    set: z.array(z.string()),
    files: z.array(z.strictObject({ path: z.string(), text: z.string() })).optional(),
  }),
]);

const verdictSchema = z.strictObject({
  kind: z.enum(verdictKinds),
  invariant: z.string().nullable(),
  message: z.string(),
  details: z.array(z.string()),
});

const failureSchema = z.strictObject({
  format: z.number(),
  version: z.string(),
  source: sourceSchema,
  bug: z.string().nullable(),
  checks: z.string().optional(),
  disturbedSteps: z.number().int().positive().max(STEPS_MAX).optional(),
  /** No search has more: one that was altered must not run for ever. */
  stepsMax: z.number().int().positive().max(STEPS_MAX).optional(),
  /** Which module with code of the user's own took part: its text is not here, nor where it is. */
  policy: z.strictObject({ hash: z.string(), names: z.array(z.string()) }).optional(),
  verdict: verdictSchema,
  strategy: z.string(),
  schedule: z.number(),
  /** Little-endian 32-bit words. */
  choices: z.instanceof(Uint8Array),
});

export interface Failure {
  readonly target: ExplorationTarget;
  readonly verdict: Verdict;
  /** Of the search: which strategy, and the how-manieth schedule. */
  readonly strategy: string;
  readonly schedule: number;
  readonly choices: Uint32Array;
}

export function encodeFailure(failure: Failure, version: string): Uint8Array {
  const { target, verdict, strategy, schedule, choices } = failure;
  const bytes = Buffer.alloc(4 * choices.length);
  choices.forEach((choice, i) => {
    bytes.writeUInt32LE(choice, 4 * i);
  });
  const { policyFile: _, ...kept } = withoutFunctions(target);
  const content = { format: FORMAT, version, ...kept, verdict, strategy, schedule, choices: bytes };
  const body = pack(content);
  return Buffer.concat([Buffer.from(MAGIC), digest(body), body]);
}

/** `file` is named in messages. Nothing of the content is ever run or loaded: it is data. @throws UserError */
export function decodeFailure(bytes: Uint8Array, file: string, version: string): Failure {
  const refuse = (found: string): UserError => new UserError({ where: file, found, allowed: ALLOWED });
  const head = MAGIC.length + DIGEST_BYTES;
  if (bytes.length < head || Buffer.from(bytes.subarray(0, MAGIC.length)).toString('latin1') !== MAGIC)
    throw refuse('something else, or only the beginning of one');
  const body = bytes.subarray(head);
  if (!digest(body).equals(bytes.subarray(MAGIC.length, head)))
    throw refuse('a file that was cut off or altered');
  const raw = unpacked(body);
  const headOfFile = headOf(raw);
  if (headOfFile !== null && headOfFile.version !== version)
    throw refuse(`a failure of svmsim ${headOfFile.version}; this is ${version}, whose steps may differ`);
  if (headOfFile !== null && headOfFile.format !== FORMAT)
    throw refuse(`a failure file of format ${headOfFile.format}; this svmsim reads format ${FORMAT}`);
  const content = parse(raw);
  if (content === null) throw refuse('a file whose content is no failure');
  if (content.bug !== null && findBug(content.bug) === null)
    throw refuse(`bug ${content.bug}, which is not there`);
  if (content.checks !== undefined && !areCheckers(content.checks))
    throw refuse(`invariants ${content.checks}, which are not there`);
  return failureOf(content);
}

const headSchema = z.object({ format: z.number(), version: z.string() });

/** What every format begins with. */
function headOf(content: unknown): z.infer<typeof headSchema> | null {
  const parsed = headSchema.safeParse(content);
  return parsed.success ? parsed.data : null;
}

function unpacked(body: Uint8Array): unknown {
  try {
    return unpack(body);
  } catch {
    return null;
  }
}

function parse(content: unknown): z.infer<typeof failureSchema> | null {
  const parsed = failureSchema.safeParse(content);
  return parsed.success && parsed.data.choices.length % 4 === 0 ? parsed.data : null;
}

function failureOf({
  source,
  bug,
  verdict,
  checks,
  disturbedSteps,
  stepsMax,
  policy,
  strategy,
  schedule,
  choices,
}: z.infer<typeof failureSchema>): Failure {
  const words = new Uint32Array(choices.length / 4);
  const view = new DataView(choices.buffer, choices.byteOffset, choices.byteLength);
  for (let i = 0; i < words.length; i++) words[i] = view.getUint32(4 * i, true);
  const target = {
    source: plainSource(source),
    bug,
    ...(checks === undefined ? {} : { checks }),
    ...(disturbedSteps === undefined ? {} : { disturbedSteps }),
    ...(stepsMax === undefined ? {} : { stepsMax }),
    ...(policy === undefined ? {} : { policy }),
  };
  return { target, verdict, strategy, schedule, choices: words };
}

/** Without the files where there are none. */
function plainSource(source: z.infer<typeof sourceSchema>): SubjectSource {
  if (source.kind === 'case') return source;
  const { files, ...rest } = source;
  return files === undefined ? rest : { ...rest, files };
}

function digest(body: Uint8Array): Buffer {
  return createHash('sha256').update(body).digest();
}
