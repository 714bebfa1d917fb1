/** The package as others install it: what its manifest promises is there, and every exported thing says what it is for. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { describe, expect, it } from 'vitest';
import * as library from '../../src/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Export {
  readonly name: string;
  readonly file: string;
}

/** What each `export { a, b as c, type D } from './e.js'` of a file names: by the name outside, what it is called in which file. */
function reExports(file: string): Map<string, Export> {
  const text = readFileSync(join(root, file), 'utf8');
  const found = new Map<string, Export>();
  for (const [, names, from] of text.matchAll(/export (?:type )?\{([^}]*)\} from '(\.[^']+)\.js'/g)) {
    for (const one of names.split(',')) {
      const [name, outside = name] = one
        .replace(/\btype\b/, '')
        .trim()
        .split(' as ');
      if (name !== '') found.set(outside, { name, file: join(dirname(file), `${from}.ts`) });
    }
  }
  return found;
}

/** Where it is declared; a file may hand on what another one exports. */
function declaredAt(one: Export): Export {
  const further = reExports(one.file).get(one.name);
  return further === undefined ? one : declaredAt(further);
}

/** False also for what is not found: then this pattern has to learn something. */
function isDocumented({ name, file }: Export): boolean {
  const kinds = '(abstract |async )?(class|function\\*?|const|type|interface)';
  return new RegExp(`\\*/\\nexport ${kinds} ${name}\\b`).test(readFileSync(join(root, file), 'utf8'));
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
    const exported = [...reExports('src/index.ts').values()].map(declaredAt);
    const undocumented = exported.filter((one) => !isDocumented(one));
    expect(exported.length).toBeGreaterThan(100);
    expect(undocumented.map(({ name, file }) => `${name} in ${file}`)).toEqual([]);
  });
});
