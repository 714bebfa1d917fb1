/** The area tree against a plain list of areas. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../../src/base/assert.js';
import { type Vpn, vpn } from '../../../src/base/units.js';
import { Vma } from '../../../src/mm/area/vma.js';
import { VmaTree } from '../../../src/mm/area/vmaTree.js';

const BASE = 2 ** 34;
const SPAN = 64;

/** Offset and pages of an area to insert. */
type Attempt = readonly [number, number];

function area(start: number, npages: number): Vma {
  return new Vma(vpn(start), vpn(start + npages), 3, start);
}

/** Builds a tree and the same areas as a sorted list. */
function build(tries: readonly Attempt[]): { tree: VmaTree; areas: Vma[] } {
  const tree = new VmaTree();
  const areas: Vma[] = [];
  insertFree(tree, areas, tries);
  return { tree, areas };
}

/** Inserts those that overlap nothing. */
function insertFree(tree: VmaTree, areas: Vma[], tries: readonly Attempt[]): void {
  for (const [offset, npages] of tries) {
    const vma = area(BASE + offset, npages);
    if (areas.some((other) => other.start < vma.end && vma.start < other.end)) continue;
    tree.insert(vma);
    areas.push(vma);
  }
  areas.sort((a, b) => a.start - b.start);
}

const attempts = fc.array(fc.tuple(fc.nat(SPAN), fc.integer({ min: 1, max: 6 })), { maxLength: 20 });

describe('VmaTree', () => {
  it('finds by page, walks both ways, and counts', () => {
    fc.assert(
      fc.property(attempts, fc.array(fc.nat(SPAN + 10)), (tries, probes) => {
        const { tree, areas } = build(tries);
        expect([...tree]).toEqual(areas);
        expect(tree.size).toBe(areas.length);
        expect(tree.pages).toBe(areas.reduce((sum, vma) => sum + vma.pages, 0));
        areas.forEach((vma, i) => {
          expect(tree.next(vma)).toBe(areas[i + 1] ?? null);
          expect(tree.previous(vma)).toBe(areas[i - 1] ?? null);
        });
        for (const offset of probes) {
          const page = vpn(BASE + offset);
          expect(tree.find(page)).toBe(areas.find((vma) => vma.start <= page && page < vma.end) ?? null);
          expect(tree.firstFrom(page)).toBe(areas.find((vma) => vma.end > page) ?? null);
          const end = vpn(page + 5);
          const overlapping = areas.find((vma) => vma.start < end && vma.end > page) ?? null;
          expect(tree.firstIn(page, end)).toBe(overlapping);
        }
      }),
      { numRuns: 150, seed: 20250101 },
    );
  });

  it('keeps gaps right through inserts, removals and resizes', () => {
    const removals = fc.array(fc.nat(30));
    const window = fc.tuple(fc.nat(SPAN + 10), fc.nat(SPAN + 10), fc.integer({ min: 1, max: 8 }));
    fc.assert(
      fc.property(attempts, removals, attempts, fc.array(window), (tries, removed, more, windows) => {
        const { tree, areas } = build(tries);
        for (const i of removed) {
          const vma = areas[i];
          if (vma === undefined) continue;
          if (vma.pages % 2 === 0) {
            tree.resize(vma, vpn(vma.start + 1), vma.end, vma.pgoff + 1);
          } else {
            tree.remove(vma);
            areas.splice(i, 1);
          }
        }
        insertFree(tree, areas, more);
        for (const [a, b, npages] of windows) {
          const low = BASE + Math.min(a, b);
          const high = BASE + Math.max(a, b);
          expect(tree.findGap(npages, low, high)).toBe(highestFree(areas, npages, low, high));
        }
      }),
      { numRuns: 200, seed: 20250101 },
    );
  });

  it('finds room in an empty address space at its top', () => {
    expect(new VmaTree().findGap(3, 16, 100)).toBe(97);
    expect(new VmaTree().findGap(85, 16, 100)).toBe(-1);
  });

  it('refuses areas that overlap', () => {
    const tree = new VmaTree();
    tree.insert(area(100, 4));
    expect(() => tree.insert(area(103, 1))).toThrow(AssertionFailure);
    expect(() => tree.insert(area(98, 3))).toThrow(AssertionFailure);
    tree.insert(area(104, 1));
    expect(tree.size).toBe(2);
  });
});

function highestFree(areas: readonly Vma[], npages: number, low: number, high: number): Vpn | -1 {
  for (let start = high - npages; start >= low; start--) {
    if (areas.every((vma) => vma.end <= start || vma.start >= start + npages)) return vpn(start);
  }
  return -1;
}
