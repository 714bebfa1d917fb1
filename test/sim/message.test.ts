/** Message types: names, numbers and fields. */

import { describe, expect, it } from 'vitest';
import { defineMessage, field, messageName } from '../../src/sim/message.js';
import { RING_ARGS_MAX, RING_SLOT_WORDS } from '../../src/sim/ring.js';

const Test = { add: defineMessage('test.add', { a: field(), b: field() }, { sum: field() }) } as const;

describe('a message type', () => {
  it('has a name for its number, and the fields in order', () => {
    expect(messageName(Test.add.id)).toBe('test.add');
    expect([Test.add.args, Test.add.reply]).toEqual([['a', 'b'], ['sum']]);
    expect(() => messageName(9999)).toThrow('does not exist');
  });

  it('has no more fields than a slot has room for', () => {
    const many = Object.fromEntries(Array.from({ length: RING_ARGS_MAX + 1 }, (_, i) => [`f${i}`, field()]));
    expect(() => defineMessage('test.many', many, {})).toThrow(`more than ${RING_ARGS_MAX}`);
    expect(() => defineMessage('test.manyBack', {}, many)).toThrow(`more than ${RING_ARGS_MAX}`);
    expect(RING_SLOT_WORDS).toBe(RING_ARGS_MAX + 2);
  });

  it('says nothing in return if nobody need wait for it', () => {
    expect(defineMessage('test.drop', { a: field() }, {}, { isDeferrable: true }).isDeferrable).toBe(true);
    expect(Test.add.isDeferrable).toBe(false);
    expect(() => defineMessage('test.dropAll', {}, { left: field() }, { isDeferrable: true })).toThrow(
      'cannot be deferred',
    );
  });
});
