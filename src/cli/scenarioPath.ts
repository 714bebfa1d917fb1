/** Finds the scenario that a user means: a file, or one that comes with svmsim, from any working directory. */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { didYouMean } from '../base/didYouMean.js';
import { UserError } from '../base/userError.js';
import { configDir } from '../scenario/presets.js';
import { shortestPath } from '../scenario/shortestPath.js';

/**
 * `typed` is a path, or a name such as `stress` or `config/stress.yaml` of a scenario that comes with svmsim. A file of the user comes first.
 *
 * @throws UserError when there is neither.
 */
export function scenarioPath(typed: string, directory = configDir()): string {
  if (existsSync(typed)) return typed;
  const own = scenarioNames(directory);
  const name = nameIn(typed);
  if (name !== null && own.includes(name)) return shortestPath(join(directory, `${name}.yaml`));
  const meant = name === null ? null : didYouMean(name, own);
  throw new UserError({
    where: typed,
    found: 'no such file',
    allowed: `a scenario file, or one that comes with svmsim: ${own.join(', ')}`,
    ...(meant === null ? {} : { hint: `did you mean ${meant}?` }),
  });
}

/** Of the scenarios that come with svmsim. */
export function scenarioNames(directory = configDir()): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();
}

/** Null for what can only be a path of the user's own. */
function nameIn(typed: string): string | null {
  return /^(?:\.\/)?(?:config\/)?([\w.-]+?)(?:\.ya?ml)?$/.exec(typed)?.[1] ?? null;
}
