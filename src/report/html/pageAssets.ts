/** The script and the styles of a report's page, as the build has bundled them. */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../../base/userError.js';

export interface PageAssets {
  readonly script: string;
  readonly styles: string;
}

/** @throws UserError where the program runs from sources that were not built. */
export function pageAssets(): PageAssets {
  const folder = assetFolder();
  return {
    script: readFileSync(join(folder, 'report.js'), 'utf8'),
    styles: readFileSync(join(folder, 'report.css'), 'utf8'),
  };
}

/** Below the folder of the package, be it run from source or from dist. */
function assetFolder(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    const folder = join(dir, 'dist', 'page');
    if (existsSync(join(folder, 'report.js'))) return folder;
    if (dirname(dir) === dir)
      throw new UserError({
        where: 'dist/page',
        found: 'nothing',
        allowed: 'a built program: npm run build',
      });
  }
}
