/** Which word of a page is whose. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GhostSlots } from '../../../src/workload/ghost/ghostSlots.js';
import {
  ghostWord,
  ghostWordSequence,
  ghostWordSlot,
  ghostWordTag,
  pageTag,
} from '../../../src/workload/ghost/ghostWord.js';

describe('ghost slots', () => {
  it('give every word one owner at most', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.nat({ max: 100 }), (actors, index) => {
        const slots = new GhostSlots(actors);
        const owners = Array.from({ length: actors }, (_, actor) => actor).filter((actor) =>
          slots.owns(actor, index),
        );
        expect(new Set(owners.map((actor) => slots.slotOf(actor))).size).toBe(owners.length);
        expect(owners.every((actor) => slots.ownerOf(index, slots.slotOf(actor)) === actor)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('give every actor a word in every page while there are enough', () => {
    const slots = new GhostSlots(1024);
    expect(slots.owns(1023, 5)).toBe(true);
    expect(slots.ownedNear(1023, 5, 6)).toBe(5);
  });

  it('give the CPU thread a word in every page, however many devices there are', () => {
    for (const actors of [1, 2, 1024, 1025, 1201, 5000]) {
      const slots = new GhostSlots(actors);
      for (let index = 0; index < 9; index++) {
        expect([slots.owns(0, index), slots.ownedNear(0, index, 9), slots.ownerOf(index, 0)]).toEqual([
          true,
          index,
          0,
        ]);
      }
    }
  });

  it('find a page in which an actor has a word, if there is one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 40 }), (actors, count) => {
        const slots = new GhostSlots(actors);
        const pages = Array.from({ length: count }, (_, index) => index);
        for (let actor = 0; actor < actors; actor += 300) {
          const has = pages.some((index) => slots.owns(actor, index));
          const near = pages.map((index) => slots.ownedNear(actor, index, count));
          const isRight = (page: number, index: number) =>
            page < count && slots.owns(actor, page) && Math.abs(page - index) < 2 * slots.groups;
          expect(has ? near.every(isRight) : near.every((page) => page === -1)).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('a ghost word', () => {
  it('tells its owner, its page and its number, and is never zero', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 1023 }),
        fc.nat({ max: 2 ** 22 }),
        fc.integer({ min: 1, max: 2 ** 40 }),
        (slot, index, sequence) => {
          const word = ghostWord(slot, index, sequence);
          expect(word).not.toBe(0);
          expect(word).toBe(word | 0);
          expect([ghostWordSlot(word), ghostWordTag(word), ghostWordSequence(word)]).toEqual([
            slot,
            pageTag(index),
            sequence % 2 ** 18,
          ]);
        },
      ),
    );
  });

  it('differs between pages a power of two apart', () => {
    for (let index = 0; index < 200; index++) {
      for (const distance of [1, 2, 4, 8, 16, 512, 2 ** 20])
        expect(pageTag(index)).not.toBe(pageTag(index + distance));
    }
  });
});
