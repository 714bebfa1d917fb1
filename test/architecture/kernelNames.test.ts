/** Every name that the kernel documents of a layer define has a row in docs/kernel-map.md, and every row of renamed ones leads to another. */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { kernelTags, renamedNames } from '../../tools/kernelMap.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = fileURLToPath(new URL('kernelNames/', import.meta.url));
const tags = kernelTags(root);
const found = new Set(tags.map(({ name }) => name));
const renamed = renamedNames(root);

function hasRow(name: string): boolean {
  return found.has(name) || found.has(renamed[name] ?? '');
}

describe('kernel names', () => {
  it.each(readdirSync(folder))('%s: each has a row', (list) => {
    const names = readFileSync(`${folder}${list}`, 'utf8')
      .split('\n')
      .filter((name) => name !== '');
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !hasRow(name))).toEqual([]);
  });

  it('are read from all kinds of declarations, with their owner', () => {
    const symbols = new Map(tags.map(({ name, symbol }) => [name, symbol]));
    expect(symbols.get('drm_gpusvm')).toBe('GpuSvm');
    expect(symbols.get('drm_gpusvm_init')).toBe('GpuSvm.init');
    expect(symbols.get('drm_gpusvm_ops.invalidate')).toBe('GpuSvmOps.invalidate');
    expect(symbols.get('drm_gpusvm_ctx.read_only')).toBe('GpuSvmContext.readOnly');
    expect(symbols.get('drm_gpusvm_range_start')).toBe('GpuSvmRange.start');
    expect(symbols.get('drm_gpusvm_pages_flags.unmapped')).toBe('PagesFlag.Unmapped');
    expect(symbols.get('DRM_GPUSVM_SCAN_EQUAL')).toBe('ScanResult.Equal');
    expect(tags.filter(({ symbol }) => symbol === '')).toEqual([]);
  });
});
