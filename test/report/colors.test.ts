/** When output is coloured. */

import { describe, expect, it } from 'vitest';
import { colorsFor } from '../../src/report/colors.js';

function isColored(variables: Record<string, string>, isTTY: boolean): boolean {
  return colorsFor(variables, isTTY).red('x') !== 'x';
}

describe('colorsFor', () => {
  it('colours terminals and nothing else', () => {
    expect(isColored({}, true)).toBe(true);
    expect(isColored({}, false)).toBe(false);
    expect(isColored({ TERM: 'dumb' }, true)).toBe(false);
  });

  it('obeys NO_COLOR before all else, unless it is empty', () => {
    expect(isColored({ NO_COLOR: '1', FORCE_COLOR: '1' }, true)).toBe(false);
    expect(isColored({ NO_COLOR: '' }, true)).toBe(true);
  });

  it('colours pipes when FORCE_COLOR says so', () => {
    expect(isColored({ FORCE_COLOR: '1' }, false)).toBe(true);
    expect(isColored({ FORCE_COLOR: '0' }, true)).toBe(false);
  });
});
