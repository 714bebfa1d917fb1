/** Finds files of the package by the names that the documents use for them, from any working directory. */

import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { configDir } from '../scenario/presets.js';
import { shortestPath } from '../scenario/shortestPath.js';

const folders = ['test/cases', 'config'];

/** `typed` where that is there or is nothing of the package, so that what reads it tells what is wrong. A file of the user comes first. */
export function shippedPath(typed: string, root = dirname(configDir())): string {
  if (existsSync(typed)) return typed;
  const name = normalize(typed);
  if (!folders.some((folder) => name === folder || name.startsWith(`${folder}/`))) return typed;
  const path = join(root, name);
  return existsSync(path) ? shortestPath(path) : typed;
}
