/** Reads case files: typed cases, or the first mistake with its file, position and key. */

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { UserError } from '../../base/userError.js';
import { CASE_THREADS_MAX, tooWideBlocks } from '../../case/blockThreads.js';
import { type Case, caseFileSchema } from '../../case/caseSchema.js';
import { LIST_SEPARATOR } from '../../case/values.js';
import { didYouMean } from '../didYouMean.js';
import { readTextFile } from '../readTextFile.js';
import { valueAt } from '../yamlSource.js';
import { duplicateKey } from './duplicateKey.js';
import { forkMistakes } from './forks.js';
import { type JsonPath, jsonPlaces, placeOf, placeOfSyntaxError } from './jsonPlace.js';
import { labelMistakes } from './labels.js';
import { memoryMistakes } from './memory.js';
import { nameMistakes } from './names.js';
import { placeMistakes } from './places.js';
import { sameNameMistakes } from './sameNames.js';

const WHAT = 'a case file: a JSON list of cases';
const AT_LEAST_ONE = 'a list with at least one case';
const FILE_BYTES_MAX = 256 * 2 ** 20;
/** Of lists and objects within each other. */
const LEVELS_MAX = 200;
const VALUE_CHARS_MAX = 60;

/** Something wrong in a case file. */
export interface CaseMistake {
  readonly path: JsonPath;
  /** Without it, the value that stands there. */
  readonly found?: string;
  readonly allowed: string;
  readonly hint?: string;
}

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
  if (!parsed.success)
    throw firstMistake(path, text, value, withoutAfterEffects(parsed.error.issues.flatMap(mistakesOf)));
  if (parsed.data.length === 0) throw firstMistake(path, text, value, [{ path: [], allowed: AT_LEAST_ONE }]);
  const ownMistakes = parsed.data.flatMap((one, i) => [
    ...labelMistakes(one, [i]),
    ...blockMistakes(one, [i]),
    ...nameMistakes(one, [i]),
    ...forkMistakes(one, [i]),
    ...memoryMistakes(one, [i]),
    ...placeMistakes(one, [i]),
  ]);
  const mistakes = [...ownMistakes, ...sameNameMistakes(parsed.data)];
  if (mistakes.length > 0) throw firstMistake(path, text, value, mistakes);
  return parsed.data;
}

/** Blocks that no machine has threads for. */
function blockMistakes({ steps }: Case, path: JsonPath): CaseMistake[] {
  return tooWideBlocks(steps, [...path, 'steps']).map((block) => ({
    path: block,
    found: 'more branches or processes at the same time',
    allowed: `at most ${CASE_THREADS_MAX - 1} branches and processes at the same time, those of blocks within counted`,
  }));
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
  const { path, allowed, hint, found } = mistakes[first];
  const key = path.join('.');
  const shown = found ?? show(valueAt(value, path));
  const mistake = { where, ...places[first], found: shown, allowed, ...(key === '' ? {} : { key }) };
  return new UserError(hint === undefined ? mistake : { ...mistake, hint });
}

function mistakesOf(issue: z.core.$ZodIssue): CaseMistake[] {
  const path = issue.path.map((segment) => (typeof segment === 'symbol' ? String(segment) : segment));
  if (issue.code !== 'unrecognized_keys') return [{ path, allowed: issue.message }];
  return issue.keys.map((unknown) => {
    const meant = didYouMean(unknown, issue.message.split(LIST_SEPARATOR));
    const mistake = { path: [...path, unknown], found: 'an unknown key', allowed: issue.message };
    return meant === null ? mistake : { ...mistake, hint: `did you mean '${meant}'?` };
  });
}

/** A key that is missing where there is an unknown one is most likely the same, mistyped. */
function withoutAfterEffects(mistakes: readonly CaseMistake[]): CaseMistake[] {
  const objectOf = ({ path }: CaseMistake): string => path.slice(0, -1).join('.');
  const mistyped = new Set(mistakes.filter(({ hint }) => hint !== undefined).map(objectOf));
  return mistakes.filter((mistake) => mistake.hint !== undefined || !mistyped.has(objectOf(mistake)));
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}...` : text;
}
