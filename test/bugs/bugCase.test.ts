/** The case that an overlay comes with is looked at as one in a file is, and a mistake in it is told as there. */

import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { buffer, bugCase, mirrorOn } from '../../src/bugs/bugCase.js';

function messageOf(steps: readonly unknown[]): string {
  try {
    bugCase({ name: 'mine', steps });
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return String(error);
  }
  return 'none';
}

describe('the case of an overlay', () => {
  it('is one where nothing is wrong', () => {
    expect(messageOf([...mirrorOn(1), buffer('A', 1)])).toBe('none');
  });

  it('has no operation that is not there', () => {
    expect(messageOf([{ op: 'bind_miror', args: {} }])).toMatch(
      /^UserError: bug case 'mine': key 'steps\.0\.op': found "bind_miror", allowed: /,
    );
  });

  it('has no key that is not there', () => {
    const args = { buf: 'A', pges: 1, prot: 'rw', share: 'private', backing: 'anon' };
    expect(messageOf([{ op: 'mmap', args }])).toMatch(
      /key 'steps\.0\.args\.pges': found an unknown key, .* \(did you mean 'pages'\?\)/,
    );
  });

  it('names nothing that it has not made', () => {
    expect(messageOf([{ op: 'munmap', args: { buf: 'B', off: 0, pages: 1 } }])).toMatch(
      /^UserError: bug case 'mine': key 'steps\.0\.args\.buf': found /,
    );
  });
});
