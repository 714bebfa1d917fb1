/** Generated files are those that the sources give now. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { generatedFiles } from '../../tools/generatedFiles.js';

it.each(generatedFiles())('$name is up to date (npm run docs writes it)', ({ folder, name, text }) => {
  expect(readFileSync(join(folder, name), 'utf8')).toBe(text);
});
