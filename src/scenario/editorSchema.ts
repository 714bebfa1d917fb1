/** JSON Schemas of the files that users write, for editors: generated from the schemas that the loaders check with. */

import { z } from 'zod';
import { caseFileSchema } from '../case/caseSchema.js';
import type { FileKind } from './fileKind.js';
import { editorTypes } from './keys.js';
import { presetSchema } from './presetSchema.js';
import { scenarioSchema } from './schema.js';

export type EditorSchema = z.core.JSONSchema.BaseSchema;

const files: Readonly<Record<FileKind, { readonly title: string; readonly schema: z.ZodType }>> = {
  scenario: { title: 'svmsim scenario', schema: scenarioSchema },
  preset: { title: 'svmsim cost preset', schema: presetSchema },
  case: { title: 'svmsim cases', schema: caseFileSchema },
};

/**
 * Of a file as it is written, where what has a default may be left out. What only the loader can check (units, one key against another) an
 * editor does not refuse; what is allowed stands in the description.
 */
export function editorSchema(kind: FileKind): EditorSchema {
  const { title, schema } = files[kind];
  const json = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const known = zodSchema instanceof z.ZodType ? editorTypes.get(zodSchema) : undefined;
      if (known !== undefined) Object.assign(jsonSchema, known.type);
    },
  });
  return { ...json, title };
}
