/** A naive address space: a map from page to what it allows and holds, with the semantics of each call written page by page. */

import { Errno } from '../../../src/base/errno.js';
import { Prot } from '../../../src/mm/area/mmap.js';

export interface ModelPage {
  readonly prot: number;
  readonly value: number;
}

export class AddressSpaceModel {
  readonly pages = new Map<number, ModelPage>();

  isAnyMapped(start: number, npages: number): boolean {
    return this.range(start, npages).some((page) => this.pages.has(page));
  }

  map(start: number, npages: number, prot: number): void {
    for (const page of this.range(start, npages)) this.pages.set(page, { prot, value: 0 });
  }

  unmap(start: number, npages: number): void {
    for (const page of this.range(start, npages)) this.pages.delete(page);
  }

  /** Up to the first hole. */
  protect(start: number, npages: number, prot: number): Errno {
    for (const page of this.range(start, npages)) {
      const old = this.pages.get(page);
      if (old === undefined) return Errno.ENOMEM;
      this.pages.set(page, { prot, value: old.value });
    }
    return Errno.OK;
  }

  /** Holes are skipped, and reported. */
  dontNeed(start: number, npages: number): Errno {
    let errno: Errno = Errno.OK;
    for (const page of this.range(start, npages)) {
      const old = this.pages.get(page);
      if (old === undefined) errno = Errno.ENOMEM;
      else this.pages.set(page, { prot: old.prot, value: 0 });
    }
    return errno;
  }

  /** A move that succeeded: the first `fromPages` of the target are the old pages, the rest is fresh and allows what the first page does. */
  move(from: number, fromPages: number, to: number, toPages: number, dontUnmap: boolean): void {
    const kept = Math.min(fromPages, toPages);
    const moved = this.range(from, fromPages).map((page) => this.pages.get(page));
    const prot = moved[0]?.prot ?? 0;
    for (const [i, page] of this.range(from, fromPages).entries()) {
      const old = moved[i];
      if (dontUnmap && old !== undefined) this.pages.set(page, { prot: old.prot, value: 0 });
      else this.pages.delete(page);
    }
    for (const [i, page] of this.range(to, toPages).entries()) {
      const old = i < kept ? moved[i] : { prot, value: 0 };
      if (old !== undefined) this.pages.set(page, old);
    }
  }

  load(page: number): number {
    const held = this.pages.get(page);
    return held === undefined || held.prot === Prot.None ? Errno.EFAULT : held.value;
  }

  store(page: number, value: number): Errno {
    const held = this.pages.get(page);
    if (held === undefined || (held.prot & Prot.Write) === 0) return Errno.EFAULT;
    this.pages.set(page, { prot: held.prot, value });
    return Errno.OK;
  }

  private range(start: number, npages: number): number[] {
    return Array.from({ length: npages }, (_, i) => start + i);
  }
}
