/** Loads and stores of one instance to ghost pages: every store is recorded, every load verified. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { formatVpn, PAGE_WORDS, type Vpn } from '../../base/units.js';
import { type AccessPort, holdPage } from '../../memory/accessPort.js';
import type { Random } from '../../sim/random.js';
import type { Steps } from '../../sim/steps.js';
import type { GhostRegion } from '../ghostBoard.js';
import { toErrno } from '../hostSteps.js';
import { actorCount, type WorkloadWorld } from '../workloadWorld.js';
import { ForeignCheck, type ForeignLoad, publisherOf } from './foreignCheck.js';
import type { GhostPages } from './ghostPages.js';
import { Survival } from './ghostRules.js';
import { GhostSequence } from './ghostSequence.js';
import { GhostSlots } from './ghostSlots.js';
import { ghostWord } from './ghostWord.js';
import { OwnWords, type OwnWordsSnapshot } from './ownWords.js';

/** Words of others that a load looks at, besides its own. */
const FOREIGN_WORDS = 3;
/** Violations that are kept in words; the rest are counted. */
const VIOLATIONS_KEPT = 8;

/** The ghost pages of one workload. */
export interface GhostMemory {
  readonly pages: GhostPages;
  readonly slots: GhostSlots;
  readonly region: GhostRegion;
  readonly world: WorkloadWorld;
}

export function ghostMemory(pages: GhostPages, workload: number, world: WorkloadWorld): GhostMemory {
  const region = world.board.region(workload);
  assert(region.pages === pages.count, 'ghost board and workload differ in pages');
  return { pages, region, world, slots: new GhostSlots(actorCount(world)) };
}

export interface Violation {
  readonly page: Vpn;
  readonly message: string;
}

/** Plain data, to be sent between threads. */
export interface GhostActorSnapshot {
  /** Actor of the first local context. */
  readonly firstActor: number;
  readonly contexts: number;
  readonly stores: number;
  readonly loads: number;
  /** Accesses that were refused (-EFAULT, -EPERM) and tolerated. */
  readonly refused: number;
  readonly violationCount: number;
  readonly violations: readonly Violation[];
  readonly own: OwnWordsSnapshot;
}

export class GhostActor {
  stores = 0;
  loads = 0;
  refused = 0;
  violationCount = 0;
  private readonly violations: Violation[] = [];
  private readonly own = new OwnWords();
  private readonly sequence: GhostSequence;
  private readonly foreign: ForeignCheck;
  private readonly foreignLoad: ForeignLoad = {
    index: 0,
    slot: 0,
    word: 0,
    ended: 0,
    announcedBefore: 0,
    started: 0,
    announcedAfter: 0,
  };

  constructor(
    private readonly ghost: GhostMemory,
    private readonly firstActor: number,
    private readonly contexts: number,
  ) {
    const { pages, slots, region, world } = ghost;
    const publisher = publisherOf(firstActor, world.contextsPerDevice);
    this.sequence = new GhostSequence(region, publisher);
    this.foreign = new ForeignCheck(pages, slots, region, world.contextsPerDevice);
  }

  get firstViolation(): string | null {
    const [first] = this.violations;
    return first === undefined ? null : `page ${formatVpn(first.page)}: ${first.message}`;
  }

  /**
   * Stores a new value to the word of local context `context` in a page that it owns a word in. An errno means that the store has not
   * happened.
   */
  *store(port: AccessPort, context: number, index: number): Steps<Errno> {
    const { region, slots, pages } = this.ghost;
    const actor = this.firstActor + context;
    assert(slots.owns(actor, index), () => `actor ${actor} has no word in ghost page ${index}`);
    const base = yield* holdPage(port, pages.pageAt(index), true);
    if (base < 0) return toErrno(base);
    const slot = slots.slotOf(actor);
    const value = ghostWord(slot, index, this.sequence.next());
    const endedBefore = region.ended(index);
    Atomics.store(port.memory.words, base + slot, value);
    const startedAfter = region.started(index);
    port.release();
    this.own.record(this.keyOf(context, index), value, endedBefore, startedAfter);
    this.stores++;
    return Errno.OK;
  }

  /** Loads the own word of a context and some of others. An errno means that nothing was loaded. */
  *load(port: AccessPort, context: number, index: number, random: Random): Steps<Errno> {
    return yield* this.loadAt(port, context, index, this.ghost.pages.pageAt(index), random);
  }

  /** The same through another address, to which the page's content has moved for the time being. */
  *loadAt(port: AccessPort, context: number, index: number, page: Vpn, random: Random): Steps<Errno> {
    const base = yield* holdPage(port, page, false);
    if (base < 0) return toErrno(base);
    const actor = this.firstActor + context;
    if (this.ghost.slots.owns(actor, index)) this.loadOwn(port, context, index, base);
    // Mostly words that have an owner: among those that have none, one wrong word shows at the next quiescent point.
    const candidates = Math.min(this.ghost.slots.actors + 1, PAGE_WORDS);
    const first = random.below(candidates);
    for (let i = 0; i < FOREIGN_WORDS; i++) this.loadForeign(port, index, base, (first + i) % candidates);
    port.release();
    this.loads++;
    return Errno.OK;
  }

  /** The value that this context's word certainly holds now, with no zap under way; 0 for none. */
  keptValue(context: number, index: number): number {
    const { region } = this.ghost;
    const key = this.keyOf(context, index);
    const fate = this.own.fate(key, region.ended(index), region.started(index));
    return fate === Survival.Kept ? this.own.valueOf(key) : 0;
  }

  /** This context's word of page `index` has been given `value` by a move, in a zap that is over. */
  adopt(context: number, index: number, value: number): void {
    const settled = this.ghost.region.ended(index);
    this.own.record(this.keyOf(context, index), value, settled, settled);
  }

  snapshot(): GhostActorSnapshot {
    const { firstActor, contexts, stores, loads, refused, violationCount } = this;
    return {
      firstActor,
      contexts,
      stores,
      loads,
      refused,
      violationCount,
      violations: [...this.violations],
      own: this.own.snapshot(),
    };
  }

  private loadOwn(port: AccessPort, context: number, index: number, base: number): void {
    const { region, slots } = this.ghost;
    const slot = slots.slotOf(this.firstActor + context);
    const key = this.keyOf(context, index);
    const ended = region.ended(index);
    const word = Atomics.load(port.memory.words, base + slot);
    const fate = this.own.fate(key, ended, region.started(index));
    const last = this.own.valueOf(key);
    const allowed = (word === last && fate !== Survival.Gone) || (word === 0 && fate !== Survival.Kept);
    if (allowed) this.own.resolve(key, word, ended);
    else this.report(index, describeOwn(slot, word, last, fate));
  }

  private loadForeign(port: AccessPort, index: number, base: number, slot: number): void {
    const { region } = this.ghost;
    const load = this.foreignLoad;
    load.index = index;
    load.slot = slot;
    load.announcedBefore = this.foreign.announced(index, slot);
    load.ended = region.ended(index);
    load.word = Atomics.load(port.memory.words, base + slot);
    load.started = region.started(index);
    load.announcedAfter = this.foreign.announced(index, slot);
    const wrong = this.foreign.check(load);
    if (wrong !== null) this.report(index, wrong);
  }

  private report(index: number, message: string): void {
    this.violationCount++;
    if (this.violations.length === VIOLATIONS_KEPT) return;
    const { pages, world } = this.ghost;
    const publisher = publisherOf(this.firstActor, world.contextsPerDevice);
    const who = publisher === 0 ? 'the CPU thread' : `device ${publisher - 1}`;
    this.violations.push({ page: pages.pageAt(index), message: `load by ${who}: ${message}` });
  }

  private keyOf(context: number, index: number): number {
    return index * this.contexts + context;
  }
}

function describeOwn(slot: number, word: number, last: number, fate: Survival): string {
  const found = `own word ${slot} is 0x${(word >>> 0).toString(16)}`;
  const stored = `0x${(last >>> 0).toString(16)}`;
  if (last === 0) return `${found}, must be 0`;
  if (fate === Survival.Gone) return `${found}, must be 0 since a call threw ${stored} away`;
  return `${found}, must be ${stored}${fate === Survival.Open ? ' or 0' : ''}`;
}
