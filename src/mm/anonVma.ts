/** Reverse mapping of anonymous memory: from a page's mapping to every area that may map it. */

import { assert } from '../base/assert.js';
import type { Mm } from './mm.js';
import type { Vma } from './vma.js';

interface AnonVmaLink {
  readonly mm: Mm;
  readonly vma: Vma;
}

/**
 * Areas that came from one another by split, move or fork share one anon_vma, since their pages may be shared. The kernel keeps a tree of
 * chains; the set of areas found is the same. @kernel anon_vma
 */
export class AnonVma {
  readonly links: AnonVmaLink[] = [];

  constructor(readonly id: number) {}

  /** @kernel anon_vma_clone */
  link(mm: Mm, vma: Vma): void {
    assert(
      this.links.every((link) => link.vma !== vma),
      'area is linked to its anon_vma twice',
    );
    this.links.push({ mm, vma });
    vma.anonVma = this;
  }

  /** @kernel unlink_anon_vmas */
  unlink(vma: Vma): void {
    const index = this.links.findIndex((link) => link.vma === vma);
    assert(index >= 0, 'area is not linked to its anon_vma');
    this.links.splice(index, 1);
    vma.anonVma = null;
  }
}

/** All anon_vmas by number: folio metadata in shared memory holds the number. */
export class AnonVmaTable {
  private readonly byId = new Map<number, AnonVma>();
  private nextId = 1;

  create(): AnonVma {
    const anonVma = new AnonVma(this.nextId++);
    this.byId.set(anonVma.id, anonVma);
    return anonVma;
  }

  /** The anon_vma with this number, or null once its last area is gone. */
  get(id: number): AnonVma | null {
    return this.byId.get(id) ?? null;
  }

  /** Forgets one that no area uses any more; pages that still carry its number have no mapping left. */
  releaseIfUnused(anonVma: AnonVma): void {
    if (anonVma.links.length === 0) this.byId.delete(anonVma.id);
  }
}
