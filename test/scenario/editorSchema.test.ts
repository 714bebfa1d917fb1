/** The JSON Schemas for editors: they take every file that comes with svmsim and refuse what the loader refuses. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { editorSchema } from '../../src/scenario/editorSchema.js';
import type { FileKind } from '../../src/scenario/fileKind.js';

/** As another program would check it: from the JSON Schema alone. */
function accepts(kind: FileKind, value: unknown): boolean {
  return z.fromJSONSchema(JSON.parse(JSON.stringify(editorSchema(kind)))).safeParse(value).success;
}

function filesIn(folder: string, ending: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));
}

describe('the editor schema', () => {
  it.each([...filesIn('config', '.yaml'), ...filesIn('config/templates', '.yaml')])('takes %s', (file) => {
    expect(accepts('scenario', parse(readFileSync(file, 'utf8')))).toBe(true);
  });

  it.each(filesIn('config/presets', '.yaml'))('takes %s', (file) => {
    expect(accepts('preset', parse(readFileSync(file, 'utf8')))).toBe(true);
  });

  it.each(['igt-xe-madvise.json', 'drm-gpuvm-split-merge.json'])('takes %s', (file) => {
    expect(accepts('case', JSON.parse(readFileSync(join('test/cases', file), 'utf8')))).toBe(true);
  });

  it.each<[string, FileKind, unknown]>([
    ['an unknown key', 'scenario', { devcies: {} }],
    ['a value of another type', 'scenario', { devices: { count: 'four' } }],
    ['a count out of range', 'scenario', { devices: { count: 0 } }],
    ['a name that is no choice', 'scenario', { svm: { layout: 'n2' } }],
    [
      'a number without its source',
      'preset',
      { name: 'x', extends: 'plain', numbers: { vram: { value: '1GB/s' } } },
    ],
    ['an unknown operation', 'case', [{ suite: 's', name: 'n', steps: [{ op: 'mmpa', args: {} }] }]],
  ])('refuses %s', (_what, kind, value) => {
    expect(accepts(kind, value)).toBe(false);
  });

  it.each<[string, (value: unknown) => object, unknown, unknown]>([
    ['a size', (vram) => ({ devices: { vram } }), '64MB', '64MiB'],
    ['a size', (vram) => ({ devices: { vram } }), -4096, 4096],
    ['a duration', (duration) => ({ duration }), 20, '20s'],
    ['a duration', (duration) => ({ duration }), '20 sec', '1.5 min'],
    ['a rate', (munmap) => ({ loads: { munmap } }), '200', '200/s'],
    ['a bandwidth', (vram) => ({ cost: { vram } }), '1GiB/s', '1GB/s'],
    ['a distribution', (fault) => ({ cost: { 'gpu-fault': fault } }), '20us..', '20us..50us'],
    ['a time', (fault) => ({ cost: { 'gpu-fault': fault } }), 20, 0],
  ])('knows the units of %s', (_what, scenario, wrong, right) => {
    expect(accepts('scenario', scenario(wrong))).toBe(false);
    expect(accepts('scenario', scenario(right))).toBe(true);
  });

  it('says of every scenario key what it means', () => {
    expect(JSON.stringify(editorSchema('scenario'))).toContain('Memory of each device.');
  });
});
