/** The doorbell of an actor, as those see it who ring it. */

import { expect, it } from 'vitest';
import { DOORBELL_WORDS, Doorbell } from '../../../src/sim/threads/doorbell.js';

/** Where the doorbell says that its owner sleeps. */
const SLEEPING = 1;

it('wakes an owner who was left asleep, was up meanwhile and is about to sleep again: he finds another count than he saw', () => {
  const buffer = new SharedArrayBuffer(Doorbell.bytesFor(1));
  const words = new Int32Array(buffer, DOORBELL_WORDS * 4, DOORBELL_WORDS);
  const bell = new Doorbell(buffer, 0);
  words[SLEEPING] = 1;
  expect(bell.knock()).toBe(true);
  // He has woken by himself, has seen the ring, and goes back to sleep.
  const seen = bell.count();
  bell.wakeOwner();
  expect(bell.isOwnerAsleep).toBe(false);
  expect(bell.count()).not.toBe(seen);
  bell.wakeOwner();
  expect(bell.awake).toBe(1);
});
