/** The free stretches between areas, searchable by size: the highest one that is large enough, without looking at the others. */

interface GapNode {
  /** The page that the gap ends at. */
  readonly end: number;
  npages: number;
  /** Largest `npages` in the subtree. */
  largest: number;
  readonly priority: number;
  below: GapNode | null;
  above: GapNode | null;
}

/**
 * A treap over the ends of the gaps; priorities are a hash of the end, so the shape depends on nothing but the contents. All operations are
 * O(log n) in expectation. @kernel maple_tree (the gaps of mm_mt)
 */
export class GapTree {
  private root: GapNode | null = null;

  /** Adds the gap that ends at `end`, or changes its size. */
  set(end: number, npages: number): void {
    if (resize(this.root, end, npages)) return;
    const [below, above] = split(this.root, end);
    const node = { end, npages, largest: npages, priority: hash(end), below: null, above: null };
    this.root = join(join(below, node), above);
  }

  delete(end: number): void {
    const [below, rest] = split(this.root, end);
    const [, above] = split(rest, end + 1);
    this.root = join(below, above);
  }

  /** End of the highest gap of at least `npages` pages that ends at or below `limit`, or -1. */
  highest(npages: number, limit: number): number {
    return highestIn(this.root, npages, limit);
  }
}

function highestIn(node: GapNode | null, npages: number, limit: number): number {
  let at = node;
  while (at !== null && at.largest >= npages) {
    if (at.end > limit) {
      at = at.below;
      continue;
    }
    // Everything above that is within the limit comes first; at most one such subtree straddles the limit.
    const above = highestIn(at.above, npages, limit);
    if (above >= 0) return above;
    if (at.npages >= npages) return at.end;
    at = at.below;
  }
  return -1;
}

/** Splits into what ends below `end` and the rest. */
function split(node: GapNode | null, end: number): [GapNode | null, GapNode | null] {
  if (node === null) return [null, null];
  if (node.end < end) {
    const [below, above] = split(node.above, end);
    node.above = below;
    refresh(node);
    return [node, above];
  }
  const [below, above] = split(node.below, end);
  node.below = above;
  refresh(node);
  return [below, node];
}

function join(below: GapNode | null, above: GapNode | null): GapNode | null {
  if (below === null) return above;
  if (above === null) return below;
  if (below.priority > above.priority) {
    below.above = join(below.above, above);
    refresh(below);
    return below;
  }
  above.below = join(below, above.below);
  refresh(above);
  return above;
}

function resize(node: GapNode | null, end: number, npages: number): boolean {
  if (node === null) return false;
  if (node.end === end) node.npages = npages;
  else if (!resize(end < node.end ? node.below : node.above, end, npages)) return false;
  refresh(node);
  return true;
}

function refresh(node: GapNode): void {
  node.largest = Math.max(node.npages, node.below?.largest ?? 0, node.above?.largest ?? 0);
}

/** Mixes all 35 bits of a page number into 32. */
function hash(end: number): number {
  let x = (end ^ Math.imul(Math.floor(end / 2 ** 18), 0x9e3779b9)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
