/** Failure files: what is written comes back and fails again, and what is not whole is refused. */

import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { findBug } from '../../src/bugs/catalogue.js';
import { decodeFailure, encodeFailure, type Failure } from '../../src/explore/failureFile.js';
import { replay } from '../../src/explore/replayTrace.js';
import { runnerOf } from '../../src/explore/target.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';

const VERSION = '1.2.3';

function aFailure(): Failure {
  const bug = findBug('B107');
  if (bug === null) throw new Error('B107 is missing');
  const target = { source: bug.subject, bug: bug.id };
  const outcome = runnerOf(target).run(new RandomStrategy(3));
  if (outcome?.verdict == null) throw new Error('B107 does not show');
  return { target, verdict: outcome.verdict, strategy: 'random', schedule: 0, choices: outcome.choices };
}

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
  const failure = aFailure();
  const bytes = encodeFailure(failure, VERSION);

  it('comes back as it was', () => {
    expect(decodeFailure(bytes, 'f.bin', VERSION)).toEqual(failure);
  });

  it('fails again in the same way, and tells each step', () => {
    const lines: string[] = [];
    const limits = { stopAt: Number.POSITIVE_INFINITY };
    const result = replay(decodeFailure(bytes, 'f.bin', VERSION), limits, ({ text }) => lines.push(text));
    expect(result.verdict).toEqual(failure.verdict);
    expect(result.isExact).toBe(true);
    expect(lines.some((line) => line.includes('notifier.callback'))).toBe(true);
    expect(lines.some((line) => line.includes('WAITS for'))).toBe(true);
  });

  it('stops before a step', () => {
    const result = replay(failure, { stopAt: 50 }, () => {});
    expect([result.verdict, result.steps]).toEqual([null, 49]);
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
