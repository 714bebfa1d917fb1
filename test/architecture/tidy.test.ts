/** House rules that a compiler does not check: first sentences, file names, leftovers, and what must not be written down. */

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const LINES_MAX = 500;

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesIn(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

const sources = [...filesIn('src'), ...filesIn('workers')];
const all = [...sources, ...filesIn('test')];

function offenders(files: readonly string[], isWrong: (text: string, file: string) => boolean): string[] {
  return files
    .filter((file) => isWrong(readFileSync(join(root, file), 'utf8'), file))
    .map((file) => relative('.', file));
}

describe('tidy', () => {
  it('starts every file with a sentence that says what it is for', () => {
    const isCommented = /^(#!.*\n)?\/\*\*\s+(\* )?\S[\s\S]*?\*\//;
    expect(offenders(all, (text, file) => !isCommented.test(text) && !file.endsWith('.d.ts'))).toEqual([]);
  });

  it('names files in camelCase', () => {
    expect(all.filter((file) => !/^[a-z][A-Za-z0-9]*(\.test|\.d)?\.ts$/.test(basename(file)))).toEqual([]);
  });

  it('keeps files short enough to read', () => {
    expect(offenders(sources, (text) => text.split('\n').length > LINES_MAX)).toEqual([]);
  });

  it('has no leftovers', () => {
    const leftovers = new RegExp(
      ['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', '\\.on' + 'ly\\(', '\\.sk' + 'ip\\('].join('|'),
    );
    expect(offenders(all, (text) => leftovers.test(text))).toEqual([]);
  });

  it('casts to `unknown` first only where a library hides its types', () => {
    const allowed = ['src/simulation/threadFleet.ts'];
    expect(
      offenders(sources, (text, file) => / as unknown as /.test(text) && !allowed.includes(file)),
    ).toEqual([]);
  });
});
