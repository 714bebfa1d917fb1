/** Who owns device memory together: groups of peers of which each reaches each other over a fast link. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { NO_OWNER, type PagemapOwner, pagemapOwner } from '../../mm/migrate/devPagemap.js';

/** A group, as long as it has members. @kernel drm_pagemap_owner */
export class DrmPagemapOwner {
  /** One per member. */
  refs = 1;

  constructor(
    /** What the mm compares. */
    readonly token: PagemapOwner,
  ) {}
}

/** One that takes part: a device's memory, or an address space that uses it. @kernel drm_pagemap_peer */
export class DrmPagemapPeer<T> {
  /** Set while it takes part. */
  list: DrmPagemapOwnerList<T> | null = null;
  owner: DrmPagemapOwner | null = null;

  constructor(
    /** What only the driver understands. @kernel drm_pagemap_peer.private */
    readonly driver: T,
  ) {}

  /** What it owns pages by; nobody's while it takes no part. */
  get token(): PagemapOwner {
    return this.owner?.token ?? NO_OWNER;
  }
}

/** Whether two peers have a fast link between them; the same in both directions. @kernel interconnect_fn */
export type HasInterconnect<T> = (a: DrmPagemapPeer<T>, b: DrmPagemapPeer<T>) => boolean;

/** The scope in which peers find one another: usually one per driver. @kernel drm_pagemap_owner_list, DRM_PAGEMAP_OWNER_LIST_DEFINE */
export class DrmPagemapOwnerList<T> {
  /** Members of a group are neighbours. Nothing here sleeps, so that no lock is needed. @kernel drm_pagemap_owner_list.peers */
  private readonly peers: DrmPagemapPeer<T>[] = [];
  private nextToken = 1;

  /** @param allocationFails whether an allocation must fail */
  constructor(private readonly allocationFails: () => boolean = () => false) {}

  get members(): readonly DrmPagemapPeer<T>[] {
    return this.peers;
  }

  /**
   * Joins the first group of which every member is linked to `peer`; without one, `peer` is a new group, which others may join later. Groups
   * are never formed anew, so who came first decides who is together. Error: -ENOMEM. @kernel drm_pagemap_acquire_owner
   */
  acquire(peer: DrmPagemapPeer<T>, hasInterconnect: HasInterconnect<T>): Errno {
    assert(peer.list === null, 'a peer takes part already');
    const end = this.endOfClique(peer, hasInterconnect);
    if (end > 0) {
      const { owner } = this.peers[end - 1];
      assert(owner !== null, 'a peer in a list without an owner');
      owner.refs++;
      peer.owner = owner;
      this.peers.splice(end, 0, peer);
    } else {
      if (this.allocationFails()) return Errno.ENOMEM;
      peer.owner = new DrmPagemapOwner(pagemapOwner(this.nextToken++));
      this.peers.push(peer);
    }
    peer.list = this;
    return Errno.OK;
  }

  /** One past the last member of the first group that `peer` fits in whole; 0 if there is none. */
  endOfClique(peer: DrmPagemapPeer<T>, hasInterconnect: HasInterconnect<T>): number {
    for (let first = 0; first < this.peers.length; ) {
      const end = this.endOfGroup(first);
      let isLinked = true;
      for (let i = first; i < end && isLinked; i++) isLinked = hasInterconnect(peer, this.peers[i]);
      if (isLinked) return end;
      first = end;
    }
    return 0;
  }

  /** Leaves; the group goes with its last member, and its token is never used again. @kernel drm_pagemap_release_owner, drm_pagemap_owner_release */
  release(peer: DrmPagemapPeer<T>): void {
    if (peer.list === null) return;
    assert(peer.list === this && peer.owner !== null, 'a peer leaves a list that it is not in');
    this.peers.splice(this.peers.indexOf(peer), 1);
    peer.owner.refs--;
    peer.owner = null;
    peer.list = null;
  }

  private endOfGroup(first: number): number {
    let end = first + 1;
    while (end < this.peers.length && this.peers[end].owner === this.peers[first].owner) end++;
    return end;
  }
}
