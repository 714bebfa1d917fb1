/** Every file of the reference that is generated from the sources, with the text that it should have. */

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { editorSchema } from '../src/scenario/editorSchema.js';
import { fileKinds } from '../src/scenario/fileKind.js';
import { caseReferencePage, scenarioReferencePage } from '../src/scenario/referencePages.js';
import { countersPage } from './countersPage.js';
import { kernelMap } from './kernelMap.js';

export interface GeneratedFile {
  readonly folder: string;
  readonly name: string;
  readonly text: string;
}

export function generatedFiles(): GeneratedFile[] {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const docs = join(root, 'docs');
  return [
    ...fileKinds.map((kind) => ({
      folder: join(root, 'config', 'schema'),
      name: `${kind}.schema.json`,
      text: `${JSON.stringify(editorSchema(kind), null, 1)}\n`,
    })),
    { folder: docs, name: 'scenario-reference.md', text: scenarioReferencePage() },
    { folder: docs, name: 'case-reference.md', text: caseReferencePage() },
    { folder: docs, name: 'counters.md', text: countersPage() },
    { folder: docs, name: 'kernel-map.md', text: kernelMap(root) },
  ];
}
