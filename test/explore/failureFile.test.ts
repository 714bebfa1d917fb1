/** Failure files: what is written comes back and fails again, and what is not whole is refused. */

import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { decodeFailure, encodeFailure } from '../../src/explore/failureFile.js';
import { someFailure } from './someFailure.js';

const VERSION = '1.2.3';

function refused(bytes: Uint8Array, version = VERSION): string {
  try {
    decodeFailure(bytes, 'f.bin', version);
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  return 'taken';
}

describe('a failure file', () => {
  const failure = someFailure('B107');
  const bytes = encodeFailure(failure, VERSION);

  it('comes back as it was', () => {
    expect(decodeFailure(bytes, 'f.bin', VERSION)).toEqual(failure);
  });

  it('is refused when it is cut off, wherever', () => {
    for (const length of [0, 5, 20, 60, bytes.length - 1]) {
      expect(refused(bytes.subarray(0, length))).toMatch(/f\.bin.*(cut off|beginning)/);
    }
  });

  it('is refused when any byte is altered', () => {
    for (let at = 0; at < bytes.length; at += 37) {
      const altered = Uint8Array.from(bytes);
      altered[at] ^= 0x10;
      expect(refused(altered)).not.toBe('taken');
    }
  });

  it('is refused when another version wrote it', () => {
    expect(refused(bytes, '9.9.9')).toContain('svmsim 1.2.3');
  });

  it('is refused when its bug is not there', () => {
    const other = { ...failure, target: { ...failure.target, bug: 'B9999' } };
    expect(refused(encodeFailure(other, VERSION))).toContain('B9999');
  });
});
