/** Sources that were written after the last build are noticed. */

import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newerSource } from '../../src/simulation/staleBuild.js';

let root = '';

function write(file: string, writtenAtSeconds: number): void {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '');
  utimesSync(path, writtenAtSeconds, writtenAtSeconds);
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'svmsim-stale-'));
  write('src/mm/vma.ts', 100);
  write('workers/device.ts', 100);
});
afterEach(() => rmSync(root, { recursive: true }));

it('a build after the last source is none that is too old', () => {
  write('dist/.tsbuildinfo', 101);
  expect(newerSource(root)).toBeNull();
});

it.each(['src/mm/vma.ts', 'workers/device.ts'])('%s is named where it was written later', (file) => {
  write('dist/.tsbuildinfo', 101);
  write(file, 102);
  expect(newerSource(root)).toBe(file);
});

it('what is no source does not count', () => {
  write('dist/.tsbuildinfo', 101);
  write('src/notes.md', 102);
  expect(newerSource(root)).toBeNull();
});

it('the page of a report does not count, which is compiled by itself', () => {
  write('dist/.tsbuildinfo', 101);
  write('src/report/page/main.ts', 102);
  expect(newerSource(root)).toBeNull();
  write('src/report/pageOf.ts', 102);
  expect(newerSource(root)).toBe('src/report/pageOf.ts');
});

it('nothing is said where the compilation left no record', () => {
  expect(newerSource(root)).toBeNull();
});
