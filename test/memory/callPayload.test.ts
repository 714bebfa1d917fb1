/** Payloads of driver calls: a value and raw data, of each thread by itself. */

import { describe, expect, it } from 'vitest';
import { CallPayload } from '../../src/memory/callPayload.js';

const DATA = 64;

function two(): [CallPayload, CallPayload, CallPayload] {
  const buffer = new SharedArrayBuffer(2 * CallPayload.bytesFor(DATA));
  return [
    new CallPayload(buffer, 0, DATA),
    new CallPayload(buffer, 1, DATA),
    new CallPayload(buffer, 1, DATA),
  ];
}

describe('a payload', () => {
  it('carries a value of any shape to the other side, until the next one', () => {
    const [, mine, theirs] = two();
    expect(theirs.get()).toBeUndefined();
    const value = { attrs: [{ name: 'granularity', value: 9 }], flags: null };
    mine.put(value);
    expect(theirs.get()).toEqual(value);
    theirs.put(['answer']);
    expect(mine.get()).toEqual(['answer']);
    mine.clear();
    expect(theirs.get()).toBeUndefined();
  });

  it('shows its data as bytes and as words, apart from the value', () => {
    const [, mine, theirs] = two();
    mine.put('value');
    mine.words[0] = 0x01020304;
    expect([...theirs.bytes.subarray(0, 4)]).toEqual([4, 3, 2, 1]);
    expect([theirs.bytes.length, theirs.words.length]).toEqual([DATA, DATA / 4]);
    theirs.bytes.fill(0xff);
    expect(mine.get()).toBe('value');
  });

  it('is of one thread alone', () => {
    const [other, mine] = two();
    mine.put(1);
    mine.bytes.fill(7);
    expect(other.get()).toBeUndefined();
    expect([...other.bytes]).toEqual(new Array(DATA).fill(0));
  });

  it('refuses a value that is too large', () => {
    expect(() => two()[0].put('x'.repeat(2_000_000))).toThrow('do not fit');
  });
});
