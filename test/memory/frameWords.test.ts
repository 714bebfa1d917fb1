/** Numbers of frames against a plain array. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameWords } from '../../src/memory/frameWords.js';
import { pfn } from '../../src/memory/pfn.js';

describe('numbers of frames', () => {
  it('are what was set last, and 0 elsewhere', () => {
    const sets = fc.array(fc.tuple(fc.nat(999), fc.integer({ min: 0, max: 1 << 20 })), { maxLength: 50 });
    fc.assert(
      fc.property(sets, (all) => {
        const words = new FrameWords(1000);
        const model = new Array<number>(1000).fill(0);
        for (const [frame, word] of all) {
          words.set(pfn(frame), word);
          model[frame] = word;
        }
        expect(model.map((_, frame) => words.of(pfn(frame)))).toEqual(model);
      }),
    );
  });
});
