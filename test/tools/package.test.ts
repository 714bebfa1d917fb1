/** The package as others install it: what its manifest promises is there, and every exported thing says what it is for. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { describe, expect, it } from 'vitest';
import * as library from '../../src/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const index = readFileSync(join(root, 'src/index.ts'), 'utf8');

/** What an `export { a, type B } from './c.js'` names, with where it is. */
function exportedNames(): { name: string; file: string }[] {
  return [...index.matchAll(/export (?:type )?\{([^}]*)\} from '\.\/([^']+)\.js'/g)].flatMap(
    ([, names, file]) =>
      names
        .split(',')
        .map((name) => name.replace(/\btype\b/, '').trim())
        .filter((name) => name !== '')
        .map((name) => ({ name, file: `src/${file}.ts` })),
  );
}

describe('the package', () => {
  it('is one that publint finds nothing to say about', async () => {
    const { messages, pkg } = await publint({ pkgDir: root, strict: true, pack: 'npm' });
    expect(messages.map((message) => formatMessage(message, pkg ?? {}))).toEqual([]);
  }, 240_000);

  it('exports what its front page says, and nothing is undefined', () => {
    const values = Object.entries(library);
    expect(values.length).toBeGreaterThan(40);
    expect(values.filter(([, value]) => value === undefined)).toEqual([]);
  });

  it('says of everything exported what it is for', () => {
    const undocumented = exportedNames().filter(({ name, file }) => {
      const text = readFileSync(join(root, file), 'utf8');
      const declared = new RegExp(
        `(\\*/\\n)?export (abstract )?(class|function\\*?|const|type|interface) ${name}\\b`,
      );
      const found = declared.exec(text);
      return found !== null && found[1] === undefined;
    });
    expect(undocumented.map(({ name, file }) => `${name} in ${file}`)).toEqual([]);
  });
});
