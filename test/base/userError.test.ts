/** What a user is told of a mistake: place, key, what was found and what is allowed. */

import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';

describe('UserError', () => {
  it('says where, which key, what was found and what is allowed in one line', () => {
    const error = new UserError({
      where: 'a.yaml',
      line: 7,
      key: 'svm.chunks',
      found: '[4KiB, 2MiB]',
      allowed: 'descending powers of two',
      hint: 'did you mean [2MiB, 4KiB]?',
    });
    expect(error.message).toBe(
      "a.yaml:7: key 'svm.chunks': found [4KiB, 2MiB], allowed: descending powers of two (did you mean [2MiB, 4KiB]?)",
    );
    expect(error).toMatchObject({ where: 'a.yaml', line: 7, key: 'svm.chunks', found: '[4KiB, 2MiB]' });
  });

  it('leaves out what is not known', () => {
    expect(new UserError({ found: 'x', allowed: 'y' }).message).toBe('found x, allowed: y');
    expect(new UserError({ where: '--seed x', found: 'x', allowed: 'y' }).message).toBe(
      '--seed x: found x, allowed: y',
    );
    expect(new UserError({ key: 'ram', found: 'x', allowed: 'y' }).message).toBe(
      "key 'ram': found x, allowed: y",
    );
  });

  it('ends the process with 2', () => {
    expect(new UserError({ found: 'x', allowed: 'y' }).exitCode).toBe(2);
  });

  it('stays one line of readable length whatever was found', () => {
    const { found, message } = new UserError({ found: `a\n\tb  ${'c'.repeat(1000)}`, allowed: 'y' });
    expect(found).toBe(`a b ${'c'.repeat(156)}...`);
    expect(message).not.toContain('\n');
  });
});
