/** What ghost pages must hold at a quiescent point, from the records of all actors and the counters on the board. */

import { assert } from '../../base/assert.js';
import { PAGE_WORDS, type Vpn, vpn } from '../../base/units.js';
import type { ActorProgress, Expectation, Progress } from '../workload.js';
import { contextActor } from '../workloadWorld.js';
import type { GhostActorSnapshot, GhostMemory } from './ghostActor.js';
import { Survival, survival } from './ghostRules.js';
import type { OwnWordsSnapshot } from './ownWords.js';

/** Where a snapshot stands in a workload's progress; null while the actor has done nothing. */
export const GHOST_KEY = 'ghost';

/** Words of one page that somebody has stored to. */
interface PageRecord {
  readonly slots: number[];
  readonly values: number[];
  readonly endedBefore: number[];
  readonly startedAfter: number[];
}

/** All spans of the workload, and one expectation that fails for each violation that an actor has met while it ran. */
export function ghostExpectations(ghost: GhostMemory, progress: readonly ActorProgress[]): Expectation[] {
  const snapshots = readSnapshots(progress);
  checkActors(ghost, progress);
  const content = new GhostContent(ghost, snapshots);
  const spans = ghost.pages.spans.map(({ start, end }) => ({
    start,
    npages: end - start,
    check: (page: Vpn, words: Int32Array | null) => content.check(page, words),
    // Most pages of a recorded program are neither touched nor populated, and it may have mapped terabytes.
    written: content.writtenIn(start, end),
  }));
  return [...spans, ...violationExpectations(snapshots)];
}

function violationExpectations(snapshots: readonly GhostActorSnapshot[]): Expectation[] {
  return snapshots.flatMap(({ violations }) =>
    violations.map(({ page, message }) => ({ start: vpn(page), npages: 1, check: () => message })),
  );
}

/** What the page that is being looked at must hold; filled anew for each. */
const expected = new Int32Array(PAGE_WORDS);
const mayBeZero = new Uint8Array(PAGE_WORDS);

class GhostContent {
  private readonly pages = new Map<number, PageRecord>();

  constructor(
    private readonly ghost: GhostMemory,
    snapshots: readonly GhostActorSnapshot[],
  ) {
    for (const snapshot of snapshots) this.addAll(snapshot);
  }

  /** Pages of a span that somebody has stored to. */
  writtenIn(start: Vpn, end: Vpn): Vpn[] {
    const { pages } = this.ghost;
    const written: Vpn[] = [];
    const last = pages.firstAtLeast(end);
    for (let index = pages.firstAtLeast(start); index < last; index++)
      if (this.pages.has(index)) written.push(pages.pageAt(index));
    return written;
  }

  check(page: Vpn, words: Int32Array | null): string | null {
    const index = this.ghost.pages.indexOf(page);
    const record = index < 0 ? undefined : this.pages.get(index);
    if (record === undefined && words === null) return null;
    expected.fill(0);
    mayBeZero.fill(0);
    if (record !== undefined) this.fillExpected(index, record);
    for (let slot = 0; slot < PAGE_WORDS; slot++) {
      const word = words === null ? 0 : words[slot];
      if (word === expected[slot] || (word === 0 && mayBeZero[slot] === 1)) continue;
      return this.describe(index, slot, words === null ? 'nothing' : hex(word));
    }
    return null;
  }

  private addAll({ own, firstActor, contexts }: GhostActorSnapshot): void {
    for (let i = 0; i < own.keys.length; i++) {
      if (own.values[i] === 0) continue;
      const index = Math.floor(own.keys[i] / contexts);
      const record = this.recordOf(index);
      record.slots.push(this.ghost.slots.slotOf(firstActor + (own.keys[i] % contexts)));
      record.values.push(own.values[i]);
      record.endedBefore.push(own.endedBefore[i]);
      record.startedAfter.push(own.startedAfter[i]);
    }
  }

  private recordOf(index: number): PageRecord {
    const known = this.pages.get(index);
    if (known !== undefined) return known;
    const record: PageRecord = { slots: [], values: [], endedBefore: [], startedAfter: [] };
    this.pages.set(index, record);
    return record;
  }

  private fillExpected(index: number, record: PageRecord): void {
    const ended = this.ghost.region.ended(index);
    const started = this.ghost.region.started(index);
    for (let i = 0; i < record.slots.length; i++) {
      const fate = survival(record.endedBefore[i], record.startedAfter[i], ended, started);
      if (fate === Survival.Gone) continue;
      expected[record.slots[i]] = record.values[i];
      if (fate === Survival.Open) mayBeZero[record.slots[i]] = 1;
    }
  }

  private describe(index: number, slot: number, found: string): string {
    const must = `${hex(expected[slot])}${mayBeZero[slot] === 1 ? ' or 0' : ''}`;
    const owner = index < 0 ? -1 : this.ghost.slots.ownerOf(index, slot);
    const contexts = this.ghost.world.contextsPerDevice;
    if (owner < 0) return `word ${slot} is ${found}, must be ${must}: nobody stores there`;
    const who =
      owner === 0
        ? 'the CPU thread'
        : `context ${(owner - 1) % contexts} of device ${Math.floor((owner - 1) / contexts)}`;
    const stored = this.storedIn(index, slot);
    const lost = stored === 0 || expected[slot] !== 0 ? '' : `, a call threw ${hex(stored)} away`;
    return `word ${slot} of ${who} is ${found}, must be ${must}${lost}`;
  }

  private storedIn(index: number, slot: number): number {
    const record = this.pages.get(index);
    if (record === undefined) return 0;
    const at = record.slots.indexOf(slot);
    return at < 0 ? 0 : record.values[at];
  }
}

function hex(word: number): string {
  return `0x${(word >>> 0).toString(16)}`;
}

function readSnapshots(progress: readonly ActorProgress[]): GhostActorSnapshot[] {
  return progress.map(({ progress: sent }) => readSnapshot(sent)).filter((snapshot) => snapshot !== null);
}

/** A device that says to be another would have its words looked for in the wrong places. */
function checkActors(ghost: GhostMemory, progress: readonly ActorProgress[]): void {
  for (const { device, progress: sent } of progress) {
    const snapshot = readSnapshot(sent);
    if (snapshot === null) continue;
    const firstActor = device < 0 ? 0 : contextActor(ghost.world, device, 0);
    assert(
      snapshot.firstActor === firstActor,
      () => `progress of actor ${snapshot.firstActor} as device ${device}`,
    );
  }
}

/** A boundary between threads: what comes in is checked to be what `GhostActor.snapshot` sent. */
export function readSnapshot(progress: Progress): GhostActorSnapshot | null {
  const sent = progress[GHOST_KEY];
  if (sent === null || sent === undefined) return null;
  assert(isSnapshot(sent), 'progress of ghost pages is not what was sent');
  return sent;
}

function isSnapshot(sent: unknown): sent is GhostActorSnapshot {
  if (typeof sent !== 'object' || sent === null) return false;
  if (!('own' in sent) || !('violations' in sent) || !('firstActor' in sent)) return false;
  return Array.isArray(sent.violations) && typeof sent.firstActor === 'number' && isOwnWords(sent.own);
}

function isOwnWords(sent: unknown): sent is OwnWordsSnapshot {
  if (typeof sent !== 'object' || sent === null || !('keys' in sent) || !('values' in sent)) return false;
  return sent.keys instanceof Float64Array && sent.values instanceof Int32Array;
}
