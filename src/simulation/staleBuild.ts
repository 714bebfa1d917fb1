/** Whether the compiled program is that of the sources beside it. */

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A source that was written after the last compilation, as a path from `root`; null where there is none, or nothing tells when that was. */
export function newerSource(root: string): string | null {
  const compiledAt = statSync(join(root, 'dist', '.tsbuildinfo'), { throwIfNoEntry: false })?.mtimeMs;
  if (compiledAt === undefined) return null;
  const isNewer = (path: string): boolean => statSync(join(root, path)).mtimeMs > compiledAt;
  return sourcesOf(root).find(isNewer) ?? null;
}

function sourcesOf(root: string): string[] {
  return ['src', 'workers'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => join(folder, file)),
  );
}
