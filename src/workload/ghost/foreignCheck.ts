/** Whether a word of another actor can hold what a load of it has given. */

import type { GhostRegion } from '../ghostBoard.js';
import type { GhostPages } from './ghostPages.js';
import { sequenceBounds } from './ghostSequence.js';
import type { GhostSlots } from './ghostSlots.js';
import { ghostWordSequence, ghostWordSlot, ghostWordTag, pageTag } from './ghostWord.js';
import { SeenWords } from './seenWords.js';

/** One load of a word, with the counters of its page read on either side of it. */
export interface ForeignLoad {
  index: number;
  slot: number;
  word: number;
  /** Zaps ended, and what the owner had announced, before the load. */
  ended: number;
  announcedBefore: number;
  /** Zaps started, and what the owner had announced, after it. */
  started: number;
  announcedAfter: number;
}

const PAGE_SLOTS = 1024;

/** One per instance: what its contexts see, they see in one order, since they run on one thread. */
export class ForeignCheck {
  private seenWords: SeenWords | null = null;

  constructor(
    private readonly pages: GhostPages,
    private readonly slots: GhostSlots,
    private readonly region: GhostRegion,
    private readonly contextsPerDevice: number,
  ) {}

  /** Made when it is needed: in a short run whoever loads nothing has no use for it. */
  private get seen(): SeenWords {
    this.seenWords ??= new SeenWords(this.pages.count * this.slots.actors);
    return this.seenWords;
  }

  /** What the word's owner has announced; 0 for a word that nobody owns. */
  announced(index: number, slot: number): number {
    const owner = this.slots.ownerOf(index, slot);
    return owner < 0 ? 0 : this.region.published(publisherOf(owner, this.contextsPerDevice));
  }

  /** What is wrong, in words, or null. */
  check(load: ForeignLoad): string | null {
    if (load.word === 0) return this.checkZero(load);
    return this.checkOrigin(load) ?? this.checkOrder(load);
  }

  private checkZero(load: ForeignLoad): string | null {
    const { seen } = this;
    const at = seen.entry(this.keyOf(load));
    // A zap that had not ended before the last load may have come after it.
    const wasLost = seen.value(at) !== 0 && !seen.isZero(at) && load.started <= seen.ended(at);
    seen.noteZero(at, load.ended, load.started);
    return wasLost ? `word ${load.slot} is 0 after ${hex(seen.value(at))}, with no call in between` : null;
  }

  /** Whether its owner can have stored it, here. */
  private checkOrigin({ index, slot, word, announcedAfter }: ForeignLoad): string | null {
    if (this.slots.ownerOf(index, slot) < 0) return `word ${slot} is ${hex(word)}, but nobody stores there`;
    if (ghostWordSlot(word) !== slot) {
      return `word ${slot} is ${hex(word)}, which only word ${ghostWordSlot(word)} can hold`;
    }
    if (!this.pages.isMovable(index) && ghostWordTag(word) !== pageTag(index)) {
      return `word ${slot} is ${hex(word)}, which belongs to another page`;
    }
    if (sequenceBounds(ghostWordSequence(word), announcedAfter).latest < 1) {
      return `word ${slot} is ${hex(word)}, which was never stored`;
    }
    return null;
  }

  /** Never older than what was seen before, and not what a call has thrown away since. */
  private checkOrder(load: ForeignLoad): string | null {
    const { index, word } = load;
    // The owner was many stores ahead of the load when it was looked at: no telling which of them this is.
    if (load.announcedAfter - load.announcedBefore > 1) return null;
    const { seen } = this;
    const at = seen.entry(this.keyOf(load));
    const bounds = sequenceBounds(ghostWordSequence(word), load.announcedAfter);
    const wrong = this.pages.isMovable(index) ? null : this.compare(load, at, bounds.latest);
    seen.noteValue(at, word, bounds.earliest, load.ended, load.started);
    return wrong;
  }

  private compare({ slot, word, ended }: ForeignLoad, at: number, latest: number): string | null {
    const { seen } = this;
    const before = seen.value(at);
    if (before === 0) return null;
    if (latest < seen.earliest(at)) return `word ${slot} is ${hex(word)}, older than ${hex(before)}`;
    // The same bits may be another store, a whole modulus of stores later; if not, they must not have been thrown away.
    if (before !== word || latest !== seen.earliest(at)) return null;
    if (seen.isZero(at)) return `word ${slot} is ${hex(word)} again, after it was 0`;
    if (ended > seen.started(at)) return `word ${slot} is still ${hex(word)} after a call that threw it away`;
    return null;
  }

  private keyOf({ index, slot }: ForeignLoad): number {
    return index * PAGE_SLOTS + slot;
  }
}

/** 0 for the CPU thread's actor, 1 + device for a context. */
export function publisherOf(actor: number, contextsPerDevice: number): number {
  return actor === 0 ? 0 : 1 + Math.floor((actor - 1) / contextsPerDevice);
}

function hex(word: number): string {
  return `0x${(word >>> 0).toString(16)}`;
}
