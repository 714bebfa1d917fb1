/** Reverse mapping of anonymous memory: from a page's mapping to every area of every process that may map it. */

import { assert } from '../../base/assert.js';
import { type IntervalNode, IntervalTree } from '../../base/intervalTree.js';
import type { Vma } from '../area/vma.js';
import type { Mm } from '../process/mm.js';

/** That an area may map pages of an anon_vma; it lies in the area's chain and in the anon_vma's tree. @kernel anon_vma_chain */
export class AnonVmaChain {
  private node: IntervalNode<AnonVmaChain>;

  constructor(
    readonly anonVma: AnonVma,
    readonly mm: Mm,
    readonly vma: Vma,
  ) {
    this.node = this.hang();
  }

  /** The area covers other page offsets now. @kernel anon_vma_interval_tree_post_update_vma */
  rehang(): void {
    this.remove();
    this.node = this.hang();
  }

  /** @kernel anon_vma_interval_tree_remove */
  remove(): void {
    this.anonVma.areas.remove(this.node);
  }

  private hang(): IntervalNode<AnonVmaChain> {
    const { pgoff, pages } = this.vma;
    return this.anonVma.areas.insert(pgoff, pgoff + pages, this);
  }
}

/**
 * Who may map the pages whose mapping this is: the area that they were made in, what it was split into and moved to, and the copies of these in
 * the process's descendants. A fork gives each copied area an anon_vma of its own for its new pages, so that looking for those does
 * not go through all relatives. @kernel anon_vma
 */
export class AnonVma {
  /** The chains of its areas, by the page offsets that these cover. @kernel anon_vma.rb_root */
  readonly areas = new IntervalTree<AnonVmaChain>();
  /** The oldest ancestor; itself for one that no fork made. */
  readonly root: AnonVma;
  readonly parent: AnonVma;
  /** anon_vmas whose parent this is; a root counts itself. @kernel anon_vma.num_children */
  children = 0;
  /** Areas that put their new pages here. @kernel anon_vma.num_active_vmas */
  activeVmas = 0;

  constructor(
    readonly id: number,
    parent: AnonVma | null,
  ) {
    this.root = parent?.root ?? this;
    this.parent = parent ?? this;
    this.parent.children++;
  }
}

/** All anon_vmas by number: folio metadata in shared memory holds the number. */
export class AnonVmaTable {
  private readonly byId = new Map<number, AnonVma>();
  private nextId = 1;

  get size(): number {
    return this.byId.size;
  }

  /** `parent` is null for a root. @kernel anon_vma_alloc */
  create(parent: AnonVma | null = null): AnonVma {
    const anonVma = new AnonVma(this.nextId++, parent);
    this.byId.set(anonVma.id, anonVma);
    return anonVma;
  }

  /** The anon_vma with this number, or null once its last area is gone. */
  get(id: number): AnonVma | null {
    return this.byId.get(id) ?? null;
  }

  /** Forgets one without areas; pages that still carry its number have no mapping left. @kernel put_anon_vma */
  release(anonVma: AnonVma): void {
    assert(anonVma.areas.size === 0, 'an anon_vma goes while areas use it');
    assert(anonVma.activeVmas === 0, 'an anon_vma goes while new pages may join it');
    this.byId.delete(anonVma.id);
  }
}
