/** One case of a case file. */

import { z } from 'zod';
import { expectationSchema } from './expectSchemas.js';
import { stepSchema } from './opSchemas.js';
import { flag, name, text } from './values.js';

const source = z.strictObject(
  { repo: text, path: text.optional(), commit: text.nullable().optional() },
  'repo, path, commit',
);

export const caseSchema = z.strictObject(
  {
    suite: name,
    name,
    variant: name.optional(),
    source: source.optional(),
    needs: z.array(name, 'a list of features').default([]),
    deterministic: flag.default(true),
    notes: text.optional(),
    params: z.record(z.string(), z.json(), 'names with their values').optional(),
    scaled_from: text.optional(),
    steps: z.array(stepSchema, 'a list of steps'),
    expect: z.array(expectationSchema, 'a list of expectations').default([]),
  },
  'suite, name, variant, source, needs, deterministic, notes, params, scaled_from, steps, expect',
);

/** Plain data: it crosses to the workers as it is. */
export type Case = z.infer<typeof caseSchema>;

export const caseFileSchema = z.array(caseSchema, 'a list of cases');
