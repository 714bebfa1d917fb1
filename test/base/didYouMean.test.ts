/** Which known word is offered for a misspelt one. */

import { describe, expect, it } from 'vitest';
import { didYouMean } from '../../src/base/didYouMean.js';

const keys = ['count', 'vram', 'contexts', 'tlb-entries', 'fault-batch', 'fault-buffer', 'cpu-tlb-shootdown'];

describe('didYouMean', () => {
  it.each([
    ['vrm', 'vram'],
    ['context', 'contexts'],
    ['tlbEntries', 'tlb-entries'],
    ['tlb_entries', 'tlb-entries'],
    ['Fault Buffer', 'fault-buffer'],
    ['fault-bach', 'fault-batch'],
    ['cpuTlbShootdwn', 'cpu-tlb-shootdown'],
  ])('takes %s for %s', (typed, meant) => {
    expect(didYouMean(typed, keys)).toBe(meant);
  });

  it.each(['memory', 'x', '', 'tlb'])('has no idea what %s means', (typed) => {
    expect(didYouMean(typed, keys)).toBeNull();
  });
});
