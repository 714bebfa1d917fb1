/** `--load`: names, rates, and what is refused. */

import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { loadsOf } from '../../src/cli/loadOption.js';

describe('--load', () => {
  it('takes names with rates per second, and without for as often as it goes', () => {
    expect(loadsOf(['munmap=200,fork=0.5', 'cpu-fault', 'evict=3/s', 'trace=free'])).toEqual({
      munmap: '200/s',
      fork: '0.5/s',
      'cpu-fault': 'free',
      evict: '3/s',
      trace: 'free',
    });
  });

  it.each([
    ['munmpa', 'did you mean munmap?'],
    ['fork=many', 'allowed: a rate from 0.001/s'],
    ['fork=', 'allowed: a rate from 0.001/s'],
    ['munmap,munmap=3', 'each load once'],
    ['', 'allowed: munmap, mprotect'],
  ])('refuses %j', (typed, message) => {
    expect(() => loadsOf([typed])).toThrow(UserError);
    expect(() => loadsOf([typed])).toThrow(message);
  });
});
