/** How the parts of a machine are wired: nodes, links between them, and the way that bytes take from one to another. */

import { assert } from '../../base/assert.js';

/** Bandwidths in bytes per nanosecond, which is GB/s. */
export interface LinkRates {
  /** Of each direction. */
  readonly each: number;
  /** Of both directions together; Infinity where they do not get in each other's way. */
  readonly both: number;
}

/** The way from one node to another. */
export interface Route {
  /** Resources that bytes cross, by index into the capacities. */
  readonly path: readonly number[];
  /** Nodes between the two ends. */
  readonly via: readonly number[];
}

interface Edge {
  readonly to: number;
  readonly path: readonly number[];
}

interface Node {
  /** Whether bytes for others pass through it, as through a switch. */
  readonly forwards: boolean;
  readonly edges: Edge[];
}

export class Topology {
  /** Bytes per nanosecond, by resource: a direction of a link, or both directions together. */
  readonly capacities: number[] = [];
  private readonly nodes: Node[] = [];

  addNode(forwards: boolean): number {
    this.nodes.push({ forwards, edges: [] });
    return this.nodes.length - 1;
  }

  /** A link of both directions. */
  connect(a: number, b: number, { each, both }: LinkRates): void {
    const shared = both < 2 * each ? [this.addResource(both)] : [];
    this.nodes[a].edges.push({ to: b, path: [...this.limitOf(each), ...shared] });
    this.nodes[b].edges.push({ to: a, path: [...this.limitOf(each), ...shared] });
  }

  /**
   * What a limit puts on a way. What limits nobody joins nobody: transfers that have only that in common do not concern one another.
   */
  limitOf(capacity: number): number[] {
    return capacity < Number.POSITIVE_INFINITY ? [this.addResource(capacity)] : [];
  }

  /** Over the fewest links, and among equal ways over those that were connected first; null where there is none. */
  route(from: number, to: number): Route | null {
    const cameFrom = new Map<number, { node: number; edge: Edge }>();
    const queue = [from];
    for (let next = 0; next < queue.length; next++) {
      const node = queue[next];
      if (node === to) return this.traced(from, to, cameFrom);
      if (node !== from && !this.nodes[node].forwards) continue;
      for (const edge of this.nodes[node].edges) {
        if (edge.to === from || cameFrom.has(edge.to)) continue;
        cameFrom.set(edge.to, { node, edge });
        queue.push(edge.to);
      }
    }
    return null;
  }

  private traced(
    from: number,
    to: number,
    cameFrom: ReadonlyMap<number, { node: number; edge: Edge }>,
  ): Route {
    const path: number[] = [];
    const via: number[] = [];
    for (let at = to; at !== from; ) {
      const step = cameFrom.get(at);
      assert(step !== undefined, 'a way that was found cannot be traced');
      path.unshift(...step.edge.path);
      if (step.node !== from) via.unshift(step.node);
      at = step.node;
    }
    // A resource that both directions share counts once, however often the way crosses it.
    return { path: [...new Set(path)], via };
  }

  private addResource(capacity: number): number {
    assert(capacity > 0, 'a link without bandwidth');
    this.capacities.push(capacity);
    return this.capacities.length - 1;
  }
}
