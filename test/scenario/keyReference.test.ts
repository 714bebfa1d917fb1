/** The reference of all keys, made from the schema. */

import { describe, expect, it } from 'vitest';
import { keyReference } from '../../src/scenario/keyReference.js';
import { presetSchema } from '../../src/scenario/presetSchema.js';
import { scenarioSchema } from '../../src/scenario/schema.js';

describe('keyReference', () => {
  const keys = keyReference(scenarioSchema);
  const at = (path: string) => keys.find((key) => key.path === path);

  it('says of every key what it means, and of every value its unit, range and default', () => {
    for (const key of [...keys, ...keyReference(presetSchema)]) {
      expect(key.text, key.path).toMatch(/\.$/);
      if (key.unit === '') continue;
      expect(key.range, key.path).not.toBe('');
      expect(key.default, key.path).not.toBe('');
    }
  });

  it('uses kebab case throughout', () => {
    for (const { path } of keys) expect(path).toMatch(/^[a-z0-9.=[\]-]+$/);
  });

  it('reaches into groups, lists and kinds of workload', () => {
    expect(at('devices')).toMatchObject({ unit: '', text: 'The GPUs; all are alike.' });
    expect(at('devices.vram')).toMatchObject({ unit: 'size', default: '64MiB' });
    expect(at('svm.chunks')).toMatchObject({ unit: 'list of sizes', default: '[2MiB, 64KiB, 4KiB]' });
    expect(at('workloads[].kind=trace.file')).toMatchObject({ unit: 'text', default: 'required' });
    expect(at('invalidation.threads')).toMatchObject({ unit: 'count', default: '1' });
  });
});
