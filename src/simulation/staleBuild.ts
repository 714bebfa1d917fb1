/** Whether the compiled program is that of the sources beside it. */

import { readdirSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';

/** A source that was written after the last compilation, as a path from `root`; null where there is none, or nothing tells when that was. */
export function newerSource(root: string): string | null {
  const compiledAt = statSync(join(root, 'dist', '.tsbuildinfo'), { throwIfNoEntry: false })?.mtimeMs;
  if (compiledAt === undefined) return null;
  const isNewer = (path: string): boolean => statSync(join(root, path)).mtimeMs > compiledAt;
  return sourcesOf(root).find(isNewer) ?? null;
}

/** The page of a report is compiled for browsers, by itself, and no worker has it. */
const PAGE = join('src', 'report', 'page');

function sourcesOf(root: string): string[] {
  return ['src', 'workers'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((file) => join(folder, file))
      .filter((file) => file.endsWith('.ts') && !file.startsWith(`${PAGE}${sep}`)),
  );
}
