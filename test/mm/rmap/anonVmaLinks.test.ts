/** Which anon_vmas an area is in after splits, merges, moves and forks, and that the reverse map finds exactly the areas that may map a page. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Vpn, vpn } from '../../../src/base/units.js';
import { Vma, VmFlag } from '../../../src/mm/area/vma.js';
import type { Kernel } from '../../../src/mm/kernel.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import type { AnonVma } from '../../../src/mm/rmap/anonVma.js';
import {
  cloneAnonVma,
  forkAnonVma,
  isMergeableAnonVma,
  joinAnonVma,
  shareAnonVma,
  takeAnonVma,
  unlinkAnonVmas,
} from '../../../src/mm/rmap/anonVmaLinks.js';
import { findMergeableAnonVma } from '../../../src/mm/rmap/anonVmaPrepare.js';
import { makeKernel, makeMm } from '../harness.js';

const RW = VmFlag.Read | VmFlag.Write;

function area(start: number, npages: number, flags: number = RW): Vma {
  return new Vma(vpn(start), vpn(start + npages), flags, start);
}

/** An area whose pages have been written. */
function used(kernel: Kernel, mm: Mm, start = 100, npages = 8): Vma {
  const vma = area(start, npages);
  joinAnonVma(mm, vma, kernel.anonVmas.create());
  return vma;
}

function forked(kernel: Kernel, child: Mm, from: Vma): Vma {
  const to = new Vma(from.start, from.end, from.flags, from.pgoff);
  forkAnonVma(kernel, child, to, from);
  return to;
}

function areasOf(anonVma: AnonVma | null): Vma[] {
  return [...(anonVma?.areas ?? [])].map((node) => node.value.vma);
}

describe('fork', () => {
  it('puts the copy into every anon_vma of the original, and gives it one of its own', () => {
    const kernel = makeKernel();
    const parent = used(kernel, makeMm(kernel, 1));
    const child = forked(kernel, makeMm(kernel, 2), parent);
    const grandchild = forked(kernel, makeMm(kernel, 3), child);
    expect(areasOf(parent.anonVma)).toEqual([parent, child, grandchild]);
    expect(areasOf(child.anonVma)).toEqual([child, grandchild]);
    expect(areasOf(grandchild.anonVma)).toEqual([grandchild]);
    expect(grandchild.anonVma?.parent).toBe(child.anonVma);
    expect(grandchild.anonVma?.root).toBe(parent.anonVma);
    expect([parent, child, grandchild].map((vma) => vma.anonVma?.activeVmas)).toEqual([1, 1, 1]);
    expect([parent, child, grandchild].map((vma) => vma.anonVma?.children)).toEqual([2, 1, 0]);
  });

  it('does nothing for an area without pages', () => {
    const kernel = makeKernel();
    const child = forked(kernel, makeMm(kernel, 2), area(100, 8));
    expect(child.anonVma).toBeNull();
    expect(child.anonVmaChain).toEqual([]);
    expect(kernel.anonVmas.size).toBe(0);
  });

  it('takes over the anon_vma of a parent that is gone, but never a root', () => {
    const kernel = makeKernel();
    const first = used(kernel, makeMm(kernel, 1));
    const second = forked(kernel, makeMm(kernel, 2), first);
    const third = forked(kernel, makeMm(kernel, 3), second);
    const { anonVma: ofSecond } = second;
    const { anonVma: root } = first;
    unlinkAnonVmas(kernel, first);
    unlinkAnonVmas(kernel, second);
    const fourth = forked(kernel, makeMm(kernel, 4), third);
    expect(fourth.anonVma).toBe(ofSecond);
    expect(fourth.anonVma).not.toBe(root);
    expect(ofSecond?.activeVmas).toBe(1);
    const fifth = forked(kernel, makeMm(kernel, 5), fourth);
    expect(fifth.anonVma).not.toBe(root);
    expect(fifth.anonVma?.parent).toBe(ofSecond);
  });

  it('keeps a chain of exiting parents short', () => {
    const kernel = makeKernel();
    let vma = used(kernel, makeMm(kernel, 1));
    for (let id = 2; id < 40; id++) {
      const child = forked(kernel, makeMm(kernel, id), vma);
      unlinkAnonVmas(kernel, vma);
      vma = child;
    }
    expect(vma.anonVmaChain.length).toBeLessThanOrEqual(4);
    expect(kernel.anonVmas.size).toBe(vma.anonVmaChain.length);
  });
});

describe('leaving', () => {
  it('forgets what no area uses any more, in any order of exits', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), (order) => {
        const kernel = makeKernel();
        const first = used(kernel, makeMm(kernel, 1));
        const second = forked(kernel, makeMm(kernel, 2), first);
        const family = [
          first,
          second,
          forked(kernel, makeMm(kernel, 3), second),
          forked(kernel, makeMm(kernel, 4), first),
        ];
        for (const i of order) {
          unlinkAnonVmas(kernel, family[i]);
          expect(family[i].anonVma).toBeNull();
          expect(family[i].anonVmaChain).toEqual([]);
        }
        expect(kernel.anonVmas.size).toBe(0);
      }),
    );
  });
});

describe('split and merge', () => {
  it('share and take over whole chains', () => {
    const kernel = makeKernel();
    const parent = used(kernel, makeMm(kernel, 1));
    const mm = makeMm(kernel, 2);
    const lower = forked(kernel, mm, parent);
    const upper = area(104, 4);
    shareAnonVma(mm, upper, lower);
    expect(upper.anonVma).toBe(lower.anonVma);
    expect(upper.anonVma?.activeVmas).toBe(2);
    expect(areasOf(parent.anonVma)).toEqual([parent, lower, upper]);
    const empty = area(108, 4);
    takeAnonVma(mm, empty, upper);
    unlinkAnonVmas(kernel, upper);
    expect(areasOf(parent.anonVma)).toEqual([parent, lower, empty]);
    expect(empty.anonVma?.activeVmas).toBe(2);
  });

  it('refuse a chain that is not empty', () => {
    const kernel = makeKernel();
    const mm = makeMm(kernel);
    const vma = used(kernel, mm);
    expect(() => cloneAnonVma(mm, vma, vma)).toThrow('not empty');
    expect(() => joinAnonVma(mm, vma, kernel.anonVmas.create())).toThrow('already');
  });
});

describe('the merge rule', () => {
  it('lets an area without pages join a neighbour with pages, but not the other way round', () => {
    const kernel = makeKernel();
    const vma = used(kernel, makeMm(kernel));
    const untouched = area(108, 8);
    expect(isMergeableAnonVma(null, vma.anonVma, vma)).toBe(true);
    expect(isMergeableAnonVma(vma.anonVma, null, untouched)).toBe(false);
    expect(isMergeableAnonVma(null, null, untouched)).toBe(true);
    expect(isMergeableAnonVma(vma.anonVma, null, null)).toBe(true);
  });

  it('keeps areas of forked processes to themselves', () => {
    const kernel = makeKernel();
    const parent = used(kernel, makeMm(kernel, 1));
    const child = forked(kernel, makeMm(kernel, 2), parent);
    expect(isMergeableAnonVma(null, child.anonVma, child)).toBe(false);
    expect(isMergeableAnonVma(child.anonVma, child.anonVma, child)).toBe(true);
    expect(isMergeableAnonVma(parent.anonVma, child.anonVma, child)).toBe(false);
  });

  it('also decides whether a first fault shares a neighbour’s anon_vma', () => {
    const kernel = makeKernel();
    const mm = makeMm(kernel, 1);
    const below = area(100, 8, VmFlag.Read);
    mm.vmas.insert(below);
    joinAnonVma(mm, below, kernel.anonVmas.create());
    const untouched = area(108, 8);
    mm.vmas.insert(untouched);
    expect(findMergeableAnonVma(mm, untouched)).toBe(below.anonVma);
    const child = makeMm(kernel, 2);
    child.vmas.insert(forked(kernel, child, below));
    const copy = area(108, 8);
    child.vmas.insert(copy);
    expect(findMergeableAnonVma(child, copy)).toBeNull();
  });
});

describe('the reverse map', () => {
  it('finds the areas that cover an offset, and no others, however these are resized', () => {
    const resize = fc.record({
      which: fc.nat(3),
      start: fc.integer({ min: 0, max: 60 }),
      npages: fc.integer({ min: 1, max: 20 }),
    });
    fc.assert(
      fc.property(fc.array(resize, { maxLength: 20 }), (resizes) => {
        const kernel = makeKernel();
        const first = used(kernel, makeMm(kernel, 1), 0, 8);
        const { anonVma } = first;
        const all = [first];
        for (let i = 1; i < 4; i++) all.push(forked(kernel, makeMm(kernel, 1 + i), first));
        const mms = all.map((vma, i) => {
          const mm = makeMm(kernel, 10 + i);
          mm.vmas.insert(vma);
          return mm;
        });
        for (const { which, start, npages } of resizes) {
          const end = vpn(start + npages);
          mms[which].vmas.resize(all[which], vpn(start), end, start);
          for (let index = 0; index < 80; index += 7) {
            const found: Vma[] = [];
            let node = anonVma?.areas.firstOverlap(index, index + 1) ?? null;
            for (; node !== null; node = anonVma?.areas.nextOverlap(node, index, index + 1) ?? null) {
              found.push(node.value.vma);
            }
            const expected = all.filter((vma) => vma.addressOfIndex(index) >= (0 as Vpn));
            expect(new Set(found)).toEqual(new Set(expected));
          }
        }
      }),
    );
  });
});
