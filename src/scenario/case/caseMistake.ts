/** A mistake in a case: where it stands, what is there and what is allowed, in the words that users are told. */

import type { z } from 'zod';
import { didYouMean } from '../../base/didYouMean.js';
import type { UserMistake } from '../../base/userError.js';
import { LIST_SEPARATOR } from '../../case/values.js';
import { valueAt } from '../yamlSource.js';
import type { JsonPath } from './jsonPlace.js';

const VALUE_CHARS_MAX = 60;

/** Something wrong in a case file. */
export interface CaseMistake {
  readonly path: JsonPath;
  /** Without it, the value that stands there. */
  readonly found?: string;
  readonly allowed: string;
  readonly hint?: string;
}

/** Of what does not have the shape of a case, or of a list of them. */
export function shapeMistakes({ issues }: z.ZodError): CaseMistake[] {
  return withoutAfterEffects(issues.flatMap(mistakesOf));
}

/** All but the place. */
export function toldMistake(value: unknown, { path, found, allowed, hint }: CaseMistake): UserMistake {
  const key = path.join('.');
  return {
    ...(key === '' ? {} : { key }),
    found: found ?? show(valueAt(value, path)),
    allowed,
    ...(hint === undefined ? {} : { hint }),
  };
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
