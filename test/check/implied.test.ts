/** That each invariant has a rule or a checker whose doc comment says what implies it. */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { allCheckers } from '../../src/check/online/allCheckers.js';

const IMPLIED = /\bimplied by\b/i;
const DOC = /\/\*\*(?:(?!\*\/)[\s\S])*\*\//g;
const counts = { I: 7, M: 13, D: 7, S: 6, L: 6, E: 4, R: 6, G: 7 };

function sourcesIn(folder: string): string[] {
  const root = fileURLToPath(new URL(`../../src/${folder}/`, import.meta.url));
  return readdirSync(root)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(`${root}${name}`, 'utf8'));
}

/** The invariants that this source has rules for, each with whether a comment says why: that of the function which makes it, or one that names it. */
function rulesIn(source: string): [string, boolean][] {
  return [...source.matchAll(/new Rule\('([A-Z]\d+)['\s]/g)].map(({ 1: id, index }) => {
    const before = source.slice(0, source.lastIndexOf('\n}\n', index) + 3);
    const own = source.slice(before.length, index).match(DOC) ?? [];
    const named = (source.match(DOC) ?? []).filter((doc) => new RegExp(`\\b${id}\\b`).test(doc));
    return [id, [...own, ...named].some((doc) => IMPLIED.test(doc))];
  });
}

/** As above, of checkers that watch the steps, and of the verdict that is one. */
function reportsIn(source: string): [string, boolean][] {
  return [...source.matchAll(/\b(?:id|invariant): '([A-Z]\d+)'/g)].map(({ 1: id }) => [
    id,
    IMPLIED.test(source),
  ]);
}

const found = [
  ...sourcesIn('check').flatMap(rulesIn),
  ...[...sourcesIn('check/online'), ...sourcesIn('explore/progress')].flatMap(reportsIn),
];

describe('the invariants', () => {
  it('are all there', () => {
    const wanted = Object.entries(counts).flatMap(([letter, n]) =>
      Array.from({ length: n }, (_, i) => `${letter}${i + 1}`),
    );
    const ids = new Set(found.map(([id]) => id));
    expect(wanted.filter((id) => !ids.has(id))).toEqual([]);
    expect(allCheckers.filter(({ id }) => !ids.has(id))).toEqual([]);
  });

  it('say what implies them', () => {
    expect(found.filter(([, says]) => !says).map(([id]) => id)).toEqual([]);
  });
});
