/** Holds a YAML file against a schema: the typed value, or the first mistake in file order. */

import type { z } from 'zod';
import { didYouMean } from '../base/didYouMean.js';
import { LIST_SEPARATOR } from './keys.js';
import type { KeyPath, Problem, YamlSource } from './yamlSource.js';

/** The schema is made of `map`, `key` and the values of keys.ts, whose messages say what is allowed. @throws UserError */
export function checkShape<T>(source: YamlSource, schema: z.ZodType<T>): T {
  const result = schema.safeParse(source.value);
  if (result.success) return result.data;
  throw source.firstOf(result.error.issues.flatMap(problemsOf));
}

function problemsOf(issue: z.core.$ZodIssue): Problem[] {
  const path = issue.path.map((segment) => (typeof segment === 'symbol' ? String(segment) : segment));
  if (issue.code !== 'unrecognized_keys') return [{ path, allowed: issue.message }];
  return issue.keys.map((unknown) => unknownKey(path, unknown, issue.message));
}

function unknownKey(parent: KeyPath, unknown: string, allowed: string): Problem {
  const meant = didYouMean(unknown, allowed.split(LIST_SEPARATOR));
  const problem = { path: [...parent, unknown], found: 'an unknown key', allowed };
  return meant === null ? problem : { ...problem, hint: `did you mean '${meant}'?` };
}
