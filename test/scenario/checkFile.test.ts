/** Checking a file without running it: which kind it is, and the first mistake in it. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkFile } from '../../src/scenario/checkFile.js';

describe('checkFile', () => {
  it.each([
    ['config/n1-mirror.yaml', { kind: 'scenario', content: '4 devices, 5 workloads' }],
    ['config/presets/plain.yaml', { kind: 'preset', content: expect.stringMatching(/^plain, \d+ numbers$/) }],
    [
      'test/cases/drm-gpuvm-split-merge.json',
      { kind: 'case', content: expect.stringMatching(/^\d+ cases$/) },
    ],
    ['test/cases', { kind: 'case', content: expect.stringMatching(/^\d{3,} cases$/) }],
  ])('knows what %s is', (path, checked) => {
    expect(checkFile(path)).toEqual(checked);
  });

  it('reads a file as the kind that it is told', () => {
    expect(() => checkFile('config/presets/plain.yaml', 'scenario')).toThrow(/unknown key/);
  });

  it.each(['"extends": plain\nname: mine\n', '{ name: mine, extends: plain }\n'])(
    'knows a preset by its keys: %j',
    (text) => {
      const path = join(mkdtempSync(join(tmpdir(), 'svmsim-')), 'mine.yaml');
      writeFileSync(path, text);
      expect(checkFile(path).kind).toBe('preset');
      rmSync(dirname(path), { recursive: true });
    },
  );

  it('names a file that is not there', () => {
    expect(() => checkFile('nowhere.yaml')).toThrow(/nowhere\.yaml/);
    expect(() => checkFile('nowhere.json')).toThrow(/nowhere\.json/);
  });
});
