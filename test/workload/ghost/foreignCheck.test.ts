/** What an actor can say of the words of others that it loads. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { vpn } from '../../../src/base/units.js';
import { Random } from '../../../src/sim/random.js';
import { ForeignCheck, publisherOf } from '../../../src/workload/ghost/foreignCheck.js';
import { GhostSpan } from '../../../src/workload/ghost/ghostPages.js';
import { GhostSequence, GRANULE, sequenceBounds } from '../../../src/workload/ghost/ghostSequence.js';
import { GhostSlots } from '../../../src/workload/ghost/ghostSlots.js';
import { ghostWord, SEQUENCE_MODULUS } from '../../../src/workload/ghost/ghostWord.js';
import { GhostBoard, type GhostRegion } from '../../../src/workload/ghostBoard.js';
import type { WorkloadConfig } from '../../../src/workload/workloadConfig.js';

const config: WorkloadConfig = {
  kind: 'invalidate',
  name: 'x',
  pages: 20,
  calls: ['madvise'],
  spanPages: 1,
  operations: 1,
  pauseUs: 0,
  launchAccesses: 64,
};
const CONTEXTS = 2;
/** The CPU thread, and two devices of two contexts. */
const ACTORS = 5;

function makeRegion(): GhostRegion {
  return new GhostBoard(new SharedArrayBuffer(GhostBoard.bytesFor([config])), [config]).region(0);
}

/** A word, its owner, and a reader, without a machine in between. */
class OneWord {
  word = 0;
  readonly region = makeRegion();
  private readonly check: ForeignCheck;
  private readonly sequence: GhostSequence;

  constructor(
    readonly index: number,
    readonly slot: number,
  ) {
    this.check = new ForeignCheck(new GhostSpan(vpn(100), 20), new GhostSlots(ACTORS), this.region, CONTEXTS);
    this.sequence = new GhostSequence(this.region, publisherOf(slot, CONTEXTS));
  }

  store(): number {
    this.word = ghostWord(this.slot, this.index, this.sequence.next());
    return this.word;
  }

  /** The owner stores elsewhere. */
  storeElsewhere(times: number): void {
    for (let i = 0; i < times; i++) this.sequence.next();
  }

  zap(): void {
    this.region.beginZap(this.index, 1);
    this.word = 0;
    this.region.endZap(this.index, 1);
  }

  load(between: () => void = () => {}): string | null {
    const { index, slot } = this;
    const announcedBefore = this.check.announced(index, slot);
    const ended = this.region.ended(index);
    const { word } = this;
    between();
    const started = this.region.started(index);
    const announcedAfter = this.check.announced(index, slot);
    return this.check.check({ index, slot, word, ended, announcedBefore, started, announcedAfter });
  }
}

describe('a word of another actor', () => {
  it('may be zero, or what was stored last, or zero again after a zap', () => {
    const one = new OneWord(3, 2);
    expect(one.load()).toBe(null);
    one.store();
    expect([one.load(), one.load()]).toEqual([null, null]);
    one.zap();
    expect(one.load()).toBe(null);
    one.store();
    expect(one.load()).toBe(null);
  });

  it('may not become zero without a zap', () => {
    const one = new OneWord(3, 2);
    one.store();
    one.load();
    one.word = 0;
    expect(one.load()).toMatch(/is 0 after 0x.*no call in between/);
  });

  it('may become zero while a zap is under way', () => {
    const one = new OneWord(3, 2);
    one.store();
    one.region.beginZap(3, 1);
    one.load();
    one.word = 0;
    expect(one.load()).toBe(null);
    one.region.endZap(3, 1);
    expect(one.load()).toBe(null);
  });

  it('may not be older than what was seen', () => {
    const one = new OneWord(3, 2);
    const old = one.store();
    one.load();
    one.store();
    one.load();
    one.word = old;
    expect(one.load()).toMatch(/older than/);
  });

  it('may not outlive a zap that has ended', () => {
    const one = new OneWord(3, 2);
    const kept = one.store();
    one.load();
    one.zap();
    one.word = kept;
    expect(one.load()).toMatch(/still 0x.* after a call that threw it away/);
  });

  it('may not come back from zero', () => {
    const one = new OneWord(3, 2);
    const kept = one.store();
    one.load();
    one.region.beginZap(3, 1);
    one.word = 0;
    one.load();
    one.word = kept;
    expect(one.load()).toMatch(/again, after it was 0/);
  });

  it('must be one that its owner stores, in this page, and has stored', () => {
    const one = new OneWord(3, 2);
    one.word = ghostWord(2, 3, 1);
    expect(one.load()).toMatch(/never stored/);
    one.store();
    one.word = ghostWord(1, 3, 1);
    expect(one.load()).toMatch(/which only word 1 can hold/);
    one.word = ghostWord(2, 4, 1);
    expect(one.load()).toMatch(/belongs to another page/);
    const nobody = new OneWord(3, 7);
    nobody.word = 1;
    expect(nobody.load()).toMatch(/nobody stores there/);
  });

  it('may have the same bits again, a whole round of sequence numbers later', () => {
    const one = new OneWord(3, 2);
    const first = one.store();
    expect(one.load()).toBe(null);
    one.zap();
    expect(one.load()).toBe(null);
    one.storeElsewhere(SEQUENCE_MODULUS - 1);
    expect(one.store()).toBe(first);
    expect(one.load()).toBe(null);
  });

  it('is not taken for older when its reader was held up while the owner stored a whole round', () => {
    const one = new OneWord(3, 2);
    one.storeElsewhere(9);
    one.store();
    const heldUp = one.load(() => {
      one.storeElsewhere(SEQUENCE_MODULUS - 6);
      one.store();
      one.storeElsewhere(3 * GRANULE);
    });
    expect([heldUp, one.load()]).toEqual([null, null]);
  });

  it('is not taken for older when its owner announced twice more while it was loaded', () => {
    const one = new OneWord(3, 2);
    one.storeElsewhere(9);
    one.store();
    one.storeElsewhere(SEQUENCE_MODULUS - 5);
    const heldUp = one.load(() => {
      one.store();
      one.storeElsewhere(2 * GRANULE - 1);
    });
    expect([heldUp, one.load()]).toEqual([null, null]);
  });

  it('is never suspected wrongly, however long the run', () => {
    const action = fc.oneof(
      { weight: 4, arbitrary: fc.constant('store' as const) },
      { weight: 4, arbitrary: fc.constant('load' as const) },
      { weight: 2, arbitrary: fc.constant('zap' as const) },
      { weight: 1, arbitrary: fc.constant('slowLoad' as const) },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          1,
          GRANULE - 1,
          GRANULE,
          3 * GRANULE,
          SEQUENCE_MODULUS - GRANULE,
          SEQUENCE_MODULUS - 1,
          SEQUENCE_MODULUS,
        ),
      },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), fc.nat(), (actions, seed) => {
        const one = new OneWord(3, 2);
        const random = new Random(seed);
        for (const next of actions) {
          if (next === 'store') one.store();
          else if (next === 'load') expect(one.load()).toBe(null);
          else if (next === 'zap') one.zap();
          else if (next === 'slowLoad') expect(one.load(() => meanwhile(one, random))).toBe(null);
          else one.storeElsewhere(next);
        }
      }),
      { numRuns: 100 },
    );
  });
});

/** The reader is held up between its load and its second look at the board. */
function meanwhile(one: OneWord, random: Random): void {
  if (random.unit() < 0.5) one.store();
  if (random.unit() < 0.5) one.zap();
  one.storeElsewhere(random.below(3) * (SEQUENCE_MODULUS / 2));
  if (random.unit() < 0.5) one.store();
}

describe('bounds of a sequence number', () => {
  it('hold the number itself, and nothing that is stored later is below them', () => {
    const number = fc.integer({ min: 1, max: 5 * SEQUENCE_MODULUS });
    fc.assert(
      fc.property(
        number,
        fc.nat({ max: 2 * SEQUENCE_MODULUS }),
        fc.nat({ max: GRANULE }),
        (sequence, behind, during) => {
          // The publisher has done `behind` stores since, and does `during` more between the load and the look at the board.
          const atLoad = sequence + behind;
          const announced = Math.floor((atLoad + during) / GRANULE) + 1;
          const { latest, earliest } = sequenceBounds(sequence % SEQUENCE_MODULUS, announced);
          expect(latest % SEQUENCE_MODULUS).toBe(sequence % SEQUENCE_MODULUS);
          expect(latest).toBeGreaterThanOrEqual(sequence);
          expect(latest).toBeLessThan(announced * GRANULE);
          expect(earliest).toBeLessThanOrEqual(Math.max(atLoad, sequence));
        },
      ),
    );
  });

  it('say that a number is too large for any store so far', () => {
    expect(sequenceBounds(GRANULE, 1).latest).toBe(0);
    expect(sequenceBounds(GRANULE - 1, 1).latest).toBe(GRANULE - 1);
    expect(sequenceBounds(0, 0).latest).toBe(0);
  });
});

describe('an actor’s word', () => {
  it('is announced by the CPU thread or by its device', () => {
    expect([0, 1, 2, 3, 4].map((actor) => publisherOf(actor, 2))).toEqual([0, 1, 1, 2, 2]);
  });
});
