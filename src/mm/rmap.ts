/** The reverse map: from a page to the entries that map it, and their replacement by migration entries and back. */

import { assert } from '../base/assert.js';
import type { Vpn } from '../base/units.js';
import { FolioFlag } from '../memory/folios.js';
import type { Pfn } from '../memory/pfn.js';
import { defineStep, STEP, type Steps } from '../sim/steps.js';
import type { Kernel } from './kernel.js';
import type { Mm } from './mm.js';
import { NotifyEvent, notifierRange } from './mmuNotifier.js';
import {
  makePte,
  type Pte,
  PteBit,
  PteKind,
  pteFromWord,
  pteHas,
  pteIsMapping,
  pteKind,
  ptePfn,
} from './pte.js';
import type { Vma } from './vma.js';

export const RmapStep = {
  tryToMigrate: defineStep('rmap.tryToMigrate', 'vpn', 'pfn', 'id'),
} as const;

interface Mapping {
  readonly mm: Mm;
  readonly page: Vpn;
}

/** Bits that an entry carries through a migration. */
const CARRIED = PteBit.Young | PteBit.Dirty | PteBit.SoftDirty | PteBit.UffdWp;

export class Rmap {
  constructor(private readonly kernel: Kernel) {}

  /**
   * Replaces every entry that maps the locked page by a migration entry, each inside a CLEAR invalidation of its mm. Entries that cannot be
   * replaced stay; the caller looks at the mapcount.
   * @kernel try_to_migrate
   */
  *tryToMigrate(pfn: Pfn): Steps<void> {
    assert(this.kernel.folios.isLocked(pfn), 'a page that is unmapped for migration must be locked');
    for (const { mm, page } of this.mappings(pfn)) {
      const range = notifierRange(NotifyEvent.Clear, page, (page + 1) as Vpn);
      yield* mm.notifiers.invalidateStart(range);
      if (this.mapsPage(mm, page, pfn)) {
        this.replaceByMigrationEntry(mm, page);
        this.kernel.flushCpuTlbs();
      }
      if (this.kernel.sched.reach(RmapStep.tryToMigrate, page, pfn, mm.id)) yield STEP;
      yield* mm.notifiers.invalidateEnd(range);
      mm.drop();
    }
  }

  /**
   * Under the page-table lock: turns a mapping entry into a migration entry. The entry's reference goes; the caller holds its own, and
   * flushes the CPU TLBs before it lets go of the page-table lock.
   */
  replaceByMigrationEntry(mm: Mm, page: Vpn): Pte {
    const { folios } = this.kernel;
    const slot = mm.pageTable.slot(page);
    const old = pteFromWord(mm.pageTable.read(slot));
    const pfn = ptePfn(old);
    const exclusive = folios.testFlag(pfn, FolioFlag.AnonExclusive);
    if (exclusive) folios.clearFlag(pfn, FolioFlag.AnonExclusive);
    const access = pteHas(old, PteBit.Write) ? PteBit.Write : exclusive ? PteBit.Exclusive : 0;
    const entry = makePte(PteKind.Migration, pfn, access | (old & CARRIED));
    // The hardware may set young and dirty until the exchange; what it set last counts.
    const last = pteFromWord(mm.pageTable.exchange(slot, entry));
    if ((last & CARRIED) !== (old & CARRIED)) mm.pageTable.write(slot, entry | (last & CARRIED));
    if (pteHas(last, PteBit.Dirty)) folios.setFlag(pfn, FolioFlag.Dirty);
    folios.removeRmap(pfn);
    folios.put(pfn);
    return last;
  }

  /** Makes every migration entry of `from` a mapping of `to`, which is locked; the two are the same page when a migration failed. @kernel remove_migration_ptes */
  removeMigrationPtes(from: Pfn, to: Pfn): void {
    const { folios } = this.kernel;
    const anonVma = this.kernel.anonVmas.get(folios.mapping(to));
    if (anonVma === null) return;
    const index = folios.index(to);
    for (
      let node = anonVma.areas.firstOverlap(index, index + 1);
      node !== null;
      node = anonVma.areas.nextOverlap(node, index, index + 1)
    ) {
      const { mm, vma } = node.value;
      const page = vma.addressOfIndex(index);
      assert(page >= 0, 'the reverse map finds an area at an offset that it does not cover');
      this.restoreEntry(mm, vma, page as Vpn, from, to);
    }
  }

  private restoreEntry(mm: Mm, vma: Vma, page: Vpn, from: Pfn, to: Pfn): void {
    const { folios } = this.kernel;
    const slot = mm.pageTable.slot(page);
    if (slot < 0) return;
    const entry = pteFromWord(mm.pageTable.read(slot));
    if (pteKind(entry) !== PteKind.Migration || ptePfn(entry) !== from) return;
    const writable = pteHas(entry, PteBit.Write);
    if (writable || pteHas(entry, PteBit.Exclusive)) folios.setFlag(to, FolioFlag.AnonExclusive);
    folios.get(to);
    folios.addRmap(to);
    mm.pageTable.write(slot, this.mappingEntry(vma, to, writable, entry & CARRIED));
  }

  /** An entry that maps `pfn` as its zone demands: present, or device-private. */
  mappingEntry(vma: Vma, pfn: Pfn, writable: boolean, carried: number): Pte {
    const kind = this.kernel.memory.layout.isDevicePrivate(pfn) ? PteKind.DevicePrivate : PteKind.Present;
    const protNone = kind === PteKind.Present && !vma.isAccessible ? PteBit.ProtNone : 0;
    return makePte(kind, pfn, (writable && vma.isWritable ? PteBit.Write : 0) | carried | protNone);
  }

  private mapsPage(mm: Mm, page: Vpn, pfn: Pfn): boolean {
    const pte = pteFromWord(mm.pageTable.get(page));
    return pteIsMapping(pte) && ptePfn(pte) === pfn;
  }

  /**
   * A copy, since areas may come and go while the caller sleeps. Each entry holds an mm_count, which the caller drops: the kernel keeps exit
   * out with the anon_vma lock instead.
   * @kernel rmap_walk
   */
  private mappings(pfn: Pfn): Mapping[] {
    const { folios, anonVmas } = this.kernel;
    const anonVma = anonVmas.get(folios.mapping(pfn));
    if (anonVma === null) return [];
    const found: Mapping[] = [];
    const index = folios.index(pfn);
    let node = anonVma.areas.firstOverlap(index, index + 1);
    for (; node !== null; node = anonVma.areas.nextOverlap(node, index, index + 1)) {
      const { mm, vma } = node.value;
      const page = vma.addressOfIndex(index);
      assert(page >= 0, 'the reverse map finds an area at an offset that it does not cover');
      mm.grab();
      found.push({ mm, page: page as Vpn });
    }
    return found;
  }
}
