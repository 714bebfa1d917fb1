/** Owner groups: who joins whom, and that it is always what a naive model says. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import {
  DrmPagemapOwnerList,
  DrmPagemapPeer,
  type HasInterconnect,
} from '../../../src/drm/pagemap/pagemapOwner.js';
import { NO_OWNER } from '../../../src/mm/migrate/devPagemap.js';

/** Links by pairs of names, in any order. */
function linkedBy(...pairs: string[]): HasInterconnect<string> {
  return (a, b) => pairs.includes(a.driver + b.driver) || pairs.includes(b.driver + a.driver);
}

function join(list: DrmPagemapOwnerList<string>, names: string, linked: HasInterconnect<string>): void {
  for (const name of names) expect(list.acquire(new DrmPagemapPeer(name), linked)).toBe(Errno.OK);
}

/** Members of each group, groups in the order in which they were made. */
function groups(list: DrmPagemapOwnerList<string>): string[] {
  const byToken = new Map<number, string>();
  for (const { token, driver } of list.members) byToken.set(token, (byToken.get(token) ?? '') + driver);
  return [...byToken.entries()].sort(([a], [b]) => a - b).map(([, names]) => names);
}

describe('owner groups', () => {
  it('are of one without links', () => {
    const list = new DrmPagemapOwnerList<string>();
    join(list, 'abc', linkedBy());
    expect(groups(list)).toEqual(['a', 'b', 'c']);
  });

  it('are of all where all are linked', () => {
    const list = new DrmPagemapOwnerList<string>();
    join(list, 'abcd', () => true);
    expect(groups(list)).toEqual(['abcd']);
    expect(list.members[0].owner?.refs).toBe(4);
  });

  it.each([
    ['abc', ['ab', 'c']],
    ['cba', ['cb', 'a']],
    ['acb', ['ab', 'c']],
  ])('of a chain a-b-c are decided by who comes first (%s)', (order, expected) => {
    const list = new DrmPagemapOwnerList<string>();
    join(list, order, linkedBy('ab', 'bc'));
    expect(groups(list)).toEqual(expected);
  });

  it('are entered only by who is linked to every member', () => {
    const list = new DrmPagemapOwnerList<string>();
    join(list, 'abcd', linkedBy('ab', 'bc', 'bd', 'cd'));
    expect(groups(list)).toEqual(['ab', 'cd']);
  });

  it('are not formed anew when somebody leaves', () => {
    const list = new DrmPagemapOwnerList<string>();
    const linked = linkedBy('ab', 'bc');
    join(list, 'abc', linked);
    list.release(list.members[0]);
    expect(groups(list)).toEqual(['b', 'c']);
    join(list, 'd', linkedBy('bd', 'cd'));
    expect(groups(list)).toEqual(['bd', 'c']);
  });

  it('keep their token while they have members; it is never used again', () => {
    const list = new DrmPagemapOwnerList<string>();
    join(list, 'ab', () => true);
    const [a, b] = list.members;
    const { token } = a;
    list.release(a);
    expect([a.token, a.owner, b.token]).toEqual([NO_OWNER, null, token]);
    list.release(b);
    join(list, 'c', () => true);
    expect(list.members[0].token).not.toBe(token);
  });

  it('are left by nobody twice', () => {
    const list = new DrmPagemapOwnerList<string>();
    join(list, 'a', () => true);
    const [a] = list.members;
    list.release(a);
    list.release(a);
    expect(list.members).toEqual([]);
    expect(() => new DrmPagemapOwnerList<string>().acquire(member(), () => true)).toThrow('already');
  });

  it('are -ENOMEM where one cannot be made, and the peer takes no part', () => {
    const list = new DrmPagemapOwnerList<string>(() => true);
    const peer = new DrmPagemapPeer('a');
    expect(list.acquire(peer, () => true)).toBe(Errno.ENOMEM);
    expect([peer.list, peer.owner, list.members]).toEqual([null, null, []]);
  });
});

function member(): DrmPagemapPeer<string> {
  const peer = new DrmPagemapPeer('a');
  new DrmPagemapOwnerList<string>().acquire(peer, () => true);
  return peer;
}

/** Groups as sets in the order in which they were made; no neighbours, no counts. */
class NaiveGroups {
  private readonly sets: Set<number>[] = [];

  join(peer: number, linked: (a: number, b: number) => boolean): void {
    const fits = this.sets.find((set) => [...set].every((other) => linked(peer, other)));
    if (fits === undefined) this.sets.push(new Set([peer]));
    else fits.add(peer);
  }

  leave(peer: number): void {
    for (const set of this.sets) set.delete(peer);
    const empty = this.sets.findIndex((set) => set.size === 0);
    if (empty >= 0) this.sets.splice(empty, 1);
  }

  get partition(): number[][] {
    return this.sets.map((set) => [...set].sort((a, b) => a - b));
  }
}

const PEERS = 8;

describe('owner groups of random peers that come and go', () => {
  it('are those of the model, and cliques', () => {
    const links = fc.array(fc.tuple(fc.nat(PEERS - 1), fc.nat(PEERS - 1)), { maxLength: 40 });
    const toggles = fc.array(fc.nat(PEERS - 1), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(links, toggles, (pairs, order) => {
        const linked = (a: number, b: number): boolean =>
          pairs.some(([x, y]) => (x === a && y === b) || (x === b && y === a));
        const list = new DrmPagemapOwnerList<number>();
        const model = new NaiveGroups();
        const peers = Array.from({ length: PEERS }, (_, i) => new DrmPagemapPeer(i));
        for (const i of order) {
          if (peers[i].list === null) {
            list.acquire(peers[i], (a, b) => linked(a.driver, b.driver));
            model.join(i, linked);
          } else {
            list.release(peers[i]);
            model.leave(i);
          }
          expect(partitionOf(list)).toEqual(model.partition);
          checkOwners(list, linked);
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** In the order of the list, which is that in which the groups were made. */
function partitionOf(list: DrmPagemapOwnerList<number>): number[][] {
  const byToken = new Map<number, number[]>();
  for (const { token, driver } of list.members) byToken.set(token, [...(byToken.get(token) ?? []), driver]);
  return [...byToken.values()].map((members) => members.sort((a, b) => a - b));
}

/** One owner object per group, with a reference per member; members are neighbours, and each is linked to each other. */
function checkOwners(list: DrmPagemapOwnerList<number>, linked: (a: number, b: number) => boolean): void {
  const { members } = list;
  members.forEach((peer, i) => {
    const group = members.filter(({ owner }) => owner === peer.owner);
    expect(peer.owner?.refs).toBe(group.length);
    for (const other of group) if (other !== peer) expect(linked(peer.driver, other.driver)).toBe(true);
    const at = members.indexOf(group[0]);
    expect(i - at).toBeLessThan(group.length);
  });
}
