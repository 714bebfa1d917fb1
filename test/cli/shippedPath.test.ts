/** Which file a path of the documents stands for. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { shippedPath } from '../../src/cli/shippedPath.js';
import { tempFolder } from '../tempFolder.js';

const root = tempFolder();
beforeAll(() => {
  for (const folder of ['test/cases/deep', 'config', 'secret'])
    mkdirSync(join(root, folder), { recursive: true });
  for (const file of ['test/cases/own.json', 'config/own.yaml', 'secret/own.json'])
    writeFileSync(join(root, file), '');
});

describe('shippedPath', () => {
  it.each([
    ['test/cases/deep', 'test/cases/deep'],
    ['./test/cases/own.json', 'test/cases/own.json'],
    ['config/own.yaml', 'config/own.yaml'],
  ])('finds %s beside the program', (typed, found) => {
    expect(shippedPath(typed, root)).toBe(join(root, found));
  });

  it('takes a file of the user first', () => {
    expect(shippedPath('test/cases/linux-hmm-selftests.json', root)).toBe(
      'test/cases/linux-hmm-selftests.json',
    );
  });

  it.each(['test/cases/none.json', 'secret/own.json', 'test/cases/../../secret/own.json', 'test/cases2'])(
    'leaves %s as it is',
    (typed) => {
      expect(shippedPath(typed, root)).toBe(typed);
    },
  );
});
