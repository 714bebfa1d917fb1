/** Values of options that no scenario file has. */

import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { secondsAsMs, seedRange, sizeList, wholeNumber } from '../../src/cli/optionValues.js';

describe('wholeNumber', () => {
  it('takes what lies in its range', () => {
    expect(wholeNumber('--jobs', '1', 1, 4)).toBe(1);
    expect(wholeNumber('--jobs', '4', 1, 4)).toBe(4);
  });

  it.each(['0', '5', '1.5', '-1', '1e1', '', ' 1', '0x1', '9999999999999999'])('refuses %j', (typed) => {
    expect(() => wholeNumber('--jobs', typed, 1, 4)).toThrow(UserError);
  });
});

it('seconds are the milliseconds that were typed, without the error of a multiplication', () => {
  const typed = ['16.1', '2.01', '1.001', '4.02', '0.001'];
  expect(typed.map((text) => secondsAsMs('--seconds', text, 1, 1e6))).toEqual([16_100, 2010, 1001, 4020, 1]);
});

describe('secondsAsMs', () => {
  it('takes decimals and a unit', () => {
    expect(['20', '0.5', '1.25s'].map((typed) => secondsAsMs('--seconds', typed, 1, 1e6))).toEqual([
      20_000, 500, 1250,
    ]);
  });

  it('takes parts of a millisecond, which are long under the virtual executor', () => {
    expect(secondsAsMs('--verify-every', '0.0004', 0, 1e6)).toBeCloseTo(0.4, 9);
  });

  it.each(['0', '1001', 'abc', '1m', '-1', '.5', 'Infinity'])('refuses %j', (typed) => {
    expect(() => secondsAsMs('--seconds', typed, 1, 1e6)).toThrow(/--seconds: found .*from 0.001 to 1000/);
  });
});

describe('seedRange', () => {
  it('takes a range or one seed', () => {
    expect(seedRange('--seeds', '1..20')).toEqual({ first: 1, last: 20 });
    expect(seedRange('--seeds', '7')).toEqual({ first: 7, last: 7 });
    expect(seedRange('--seeds', '4294967290..4294967295')).toEqual({
      first: 4294967290,
      last: 4294967295,
    });
  });

  it.each(['', '..', '1..', '..5', '2..1', '1-5', '1..4294967296', '1..100001'])('refuses %j', (typed) => {
    expect(() => seedRange('--seeds', typed)).toThrow(UserError);
  });
});

describe('sizeList', () => {
  it('sorts sizes and drops repeated ones', () => {
    expect(sizeList('--sizes', '2MiB,4KiB,4096')).toEqual([4096, 2 ** 21]);
  });

  it.each(['', '0', '4095', '12KiB', '2KiB', '4KiB,,8KiB', '4kb', '8GiB'])('refuses %j', (typed) => {
    expect(() => sizeList('--sizes', typed)).toThrow(UserError);
  });
});
