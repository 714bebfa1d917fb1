/** Reads case files: typed cases, or the first mistake with its file, position and key. */

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../base/userError.js';
import { type Case, caseFileSchema } from '../../case/caseSchema.js';
import { readTextFile } from '../readTextFile.js';
import { type CaseMistake, shapeMistakes, toldMistake } from './caseMistake.js';
import { ruleMistakes } from './caseRules.js';
import { duplicateKey } from './duplicateKey.js';
import { jsonPlaces, placeOf, placeOfSyntaxError } from './jsonPlace.js';
import { sameNameMistakes } from './sameNames.js';

const WHAT = 'a case file: a JSON list of cases';
const AT_LEAST_ONE = 'a list with at least one case';
const FILE_BYTES_MAX = 256 * 2 ** 20;
/** Of lists and objects within each other. */
const LEVELS_MAX = 200;

/** One file with its cases. */
export interface CaseFile {
  readonly path: string;
  readonly cases: readonly Case[];
}

/** Files as they are named, folders with all `.json` files in them, by name. @throws UserError */
export function loadCaseFiles(paths: readonly string[]): CaseFile[] {
  return paths.flatMap(filesAt).map((path) => ({ path, cases: loadCaseFile(path) }));
}

/** @throws UserError for the first mistake in the file. */
export function loadCaseFile(path: string): Case[] {
  const text = readTextFile(path, WHAT, FILE_BYTES_MAX);
  refuseDepth(path, text);
  const value = parse(path, text);
  refuseDuplicateKeys(path, text);
  const parsed = caseFileSchema.safeParse(value);
  if (!parsed.success) throw firstMistake(path, text, value, shapeMistakes(parsed.error));
  if (parsed.data.length === 0) throw firstMistake(path, text, value, [{ path: [], allowed: AT_LEAST_ONE }]);
  const ownMistakes = parsed.data.flatMap((one, i) => ruleMistakes(one, [i]));
  const mistakes = [...ownMistakes, ...sameNameMistakes(parsed.data)];
  if (mistakes.length > 0) throw firstMistake(path, text, value, mistakes);
  return parsed.data;
}

function filesAt(path: string): string[] {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path];
  const files = readdirSync(path).filter((file) => file.endsWith('.json'));
  if (files.length === 0)
    throw new UserError({ where: path, found: 'a folder without .json files', allowed: WHAT });
  return files.sort().map((file) => join(path, file));
}

/** What looks at values within values does so by recursion. A text that is no JSON is told of by who parses it. */
function refuseDepth(where: string, text: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') at = endOfString(text, at);
    else if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') depth--;
    if (depth > LEVELS_MAX)
      throw new UserError({
        where,
        ...placeOf(text, at),
        found: `${depth} levels of lists and objects`,
        allowed: `at most ${LEVELS_MAX} levels`,
      });
  }
}

/** Where the string that begins at `start` ends, or the text. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const found = `a JSON syntax error: ${message}`;
    throw new UserError({ where: path, ...placeOfSyntaxError(text), found, allowed: WHAT });
  }
}

/** JSON itself would take the last of them. */
function refuseDuplicateKeys(where: string, text: string): void {
  const duplicate = duplicateKey(text);
  if (duplicate === null) return;
  const { key, offset } = duplicate;
  throw new UserError({
    where,
    ...placeOf(text, offset),
    key,
    found: 'the key for the second time',
    allowed: 'each key of an object once',
  });
}

function firstMistake(
  where: string,
  text: string,
  value: unknown,
  mistakes: readonly CaseMistake[],
): UserError {
  const places = jsonPlaces(
    text,
    mistakes.map(({ path }) => path),
  );
  let first = 0;
  places.forEach(({ line, column }, i) => {
    const best = places[first];
    if (line < best.line || (line === best.line && column < best.column)) first = i;
  });
  return new UserError({ where, ...places[first], ...toldMistake(value, mistakes[first]) });
}
