/** Where the compiled entry of a worker lies: the bundled one, since loading some hundred modules in each of many workers takes longer than a short run. */

import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from '../base/assert.js';
import { UserError } from '../base/userError.js';
import { newerSource } from './staleBuild.js';

let isKnownFresh = false;

/** When a file was last written, in milliseconds since 1970; undefined if it is not there. */
function writtenAt(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

/** The folder `dist` of this program, be it run from source or from dist itself. */
function distDir(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (writtenAt(join(dir, 'dist', 'workers')) === undefined) {
    const parent = dirname(dir);
    assert(parent !== dir, 'the program is not built: dist/workers is missing (npm run build)');
    dir = parent;
  }
  if (import.meta.url.endsWith('.ts')) requireFresh(dir);
  return join(dir, 'dist');
}

/** Who runs the sources would run yesterday's code in the workers, and not be told. @throws UserError */
function requireFresh(root: string): void {
  const newer = isKnownFresh ? null : newerSource(root);
  isKnownFresh = newer === null;
  if (newer === null) return;
  throw new UserError({
    where: 'dist',
    found: `a build older than ${newer}`,
    allowed: 'one of these sources (npm run build)',
  });
}

/**
 * The entry `name` of `workers/`, always as compiled JavaScript, also when the caller runs from TypeScript sources. A bundle that is older than the last
 * compilation would run yesterday's code and is passed over.
 */
export function workerFile(name: string, dist: string = distDir()): string {
  const bundle = join(dist, 'bundles', `${name}.js`);
  const bundledAt = writtenAt(bundle);
  const compiledAt = writtenAt(join(dist, '.tsbuildinfo')) ?? 0;
  return bundledAt !== undefined && bundledAt >= compiledAt ? bundle : moduleWorkerFile(name, dist);
}

/** The same without a bundle: for workers that load a module of the user's, which must find there the modules of svmsim that it imports itself. */
export function moduleWorkerFile(name: string, dist: string = distDir()): string {
  return join(dist, 'workers', `${name}.js`);
}
