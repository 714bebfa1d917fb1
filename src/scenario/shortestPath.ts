/** How a file is called in messages. */

import { relative } from 'node:path';

/** As the user would type it from the working directory. */
export function shortestPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}
