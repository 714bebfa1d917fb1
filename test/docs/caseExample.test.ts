/** The case that docs/case-reference.md begins with is one, and passes. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadCaseFile } from '../../src/scenario/case/loadCases.js';
import { runCase } from '../../src/simulation/case/runCase.js';
import { tempFolder } from '../tempFolder.js';

const page = readFileSync(new URL('../../docs/case-reference.md', import.meta.url), 'utf8');
const folder = tempFolder();

it('passes', async () => {
  const file = join(folder, 'mine.json');
  writeFileSync(file, page.match(/```json\n(.*?)```/s)?.[1] ?? '');
  const [mine] = loadCaseFile(file);
  expect(mine.steps).toHaveLength(4);
  expect(await runCase(mine, { executor: 'virtual', seed: 1 })).toMatchObject({ status: 'pass' });
});
