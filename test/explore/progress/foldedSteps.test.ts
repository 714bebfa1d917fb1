/** The round of a livelock, with what came again told once. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldedSteps } from '../../../src/explore/progress/foldedSteps.js';

/** What was folded, as it was. */
function unfolded(told: readonly string[]): string[] {
  const lines: string[] = [];
  for (const line of told) {
    const one = /^(.*), (\d+) times$/.exec(line);
    const many = /^\(these (\d+) came (\d+) times\)$/.exec(line);
    if (one !== null) for (let i = 0; i < Number(one[2]); i++) lines.push(one[1]);
    else if (many === null) lines.push(line);
    else {
      const block = lines.slice(-Number(many[1]));
      for (let i = 1; i < Number(many[2]); i++) lines.push(...block);
    }
  }
  return lines;
}

describe('steps that come again', () => {
  it('are told once, with how often they came', () => {
    expect(foldedSteps(['a', 'b', 'b', 'b', 'c'])).toEqual(['a', 'b, 3 times', 'c']);
    expect(foldedSteps(['a', 'b', 'a', 'b', 'a', 'b', 'c'])).toEqual([
      'a',
      'b',
      '(these 2 came 3 times)',
      'c',
    ]);
    expect(foldedSteps(['a', 'b', 'c'])).toEqual(['a', 'b', 'c']);
    expect(foldedSteps([])).toEqual([]);
  });

  it('are the same steps, whatever they are, and not more lines', () => {
    const steps = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (lines) => {
        const told = foldedSteps(lines);
        expect(unfolded(told)).toEqual(lines);
        expect(told.length).toBeLessThanOrEqual(lines.length);
      }),
    );
  });
});
