/** Writes the generated reference: JSON Schemas for editors, and the pages of scenario and case files. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generatedFiles } from './generatedFiles.js';

for (const { folder, name, text } of generatedFiles()) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
}
