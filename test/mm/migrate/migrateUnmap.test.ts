/** That a migration refuses lists of pages which are not what they should be. */

import { describe, expect, it } from 'vitest';
import { PMD_PAGES } from '../../../src/base/units.js';
import { isMigratePfn, MigratePfnFlag, migratePfn, NO_PFN, pfn } from '../../../src/memory/pfn.js';
import { MigrateUnmap } from '../../../src/mm/migrate/migrateUnmap.js';
import { Rmap } from '../../../src/mm/rmap/rmap.js';
import { makeMachine, run } from '../harness.js';

function finalize(src: Uint32Array, dst: Uint32Array): void {
  const { kernel } = makeMachine();
  run(kernel, new MigrateUnmap(kernel, new Rmap(kernel)).finalize(src, dst, src.length, NO_PFN));
}

describe('entries of a migration', () => {
  it('are empty or well-formed: a page alone, or unknown flags, are neither', () => {
    expect([0, migratePfn(pfn(5), 0), migratePfn(NO_PFN, MigratePfnFlag.MIGRATE)].every(isMigratePfn)).toBe(
      true,
    );
    expect([5 << 6, 16, 0x30 | 1].some(isMigratePfn)).toBe(false);
  });

  it('M12: are refused otherwise at the end, on either side', () => {
    const wrong = Uint32Array.of(5 << 6);
    expect(() => finalize(wrong, new Uint32Array(1))).toThrow('entry 0 of a migration, 320, is none');
    expect(() => finalize(new Uint32Array(1), wrong)).toThrow('entry 0 of a migration, 320, is none');
    expect(() => finalize(new Uint32Array(1), new Uint32Array(1))).not.toThrow();
  });

  it('M12: have nothing in the tails of a large page', () => {
    const hole = (): Uint32Array => {
      const entries = new Uint32Array(PMD_PAGES);
      entries[0] = migratePfn(NO_PFN, MigratePfnFlag.MIGRATE | MigratePfnFlag.COMPOUND);
      return entries;
    };
    const dirty = hole();
    dirty[7] = migratePfn(pfn(5), 0);
    expect(() => finalize(dirty, hole())).toThrow('tail 7 of a migration has an entry');
    expect(() => finalize(hole(), dirty)).toThrow('tail 7 of a migration has an entry');
    expect(() => finalize(hole(), hole())).not.toThrow();
  });
});
