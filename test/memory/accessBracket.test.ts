/** Brackets where one thread has both ends: whoever is inside would never leave while that thread waits. */

import { expect, it } from 'vitest';
import { AccessBracket } from '../../src/memory/accessBracket.js';

it('does not wait for whoever is inside on the same thread', () => {
  const bracket = new AccessBracket(new SharedArrayBuffer(AccessBracket.bytesFor(3)), 2, true);
  const before = bracket.enter();
  expect(() => {
    bracket.flush();
  }).toThrow('cpu2 holds memory while others take steps');
  bracket.exit();
  bracket.flush();
  expect(bracket.enter()).not.toBe(before);
});
