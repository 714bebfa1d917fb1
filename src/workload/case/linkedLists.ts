/** Linked lists in shared memory: real pointers, so that each participant must see the same addresses. */

import { addressOf, PAGE_BYTES, PAGE_WORDS, pageOf, type Vpn, vpn } from '../../base/units.js';
import { type AccessPort, holdPage } from '../../memory/accessPort.js';
import type { Steps } from '../../sim/steps.js';

/** A node: number of its list, position in it, and the address of the next node in two halves. */
const NODE_BYTES = 16;
const NODE_WORDS = NODE_BYTES / 4;
const HALF = 2 ** 32;

/** Where lists begin, how many there are, and how long they are. */
export interface ListPool {
  readonly page: Vpn;
  readonly lists: number;
  readonly length: number;
}

/** Heads stand first, one after the other; the other nodes of a list follow all heads. */
function nodeIndex({ lists, length }: ListPool, list: number, position: number): number {
  return position === 0 ? list : lists + list * (length - 1) + position - 1;
}

function nodeAddress(pool: ListPool, list: number, position: number): number {
  return addressOf(pool.page) + nodeIndex(pool, list, position) * NODE_BYTES;
}

/** Gets hold of the node at an address; its index in words, or an errno. A node does not cross pages. */
function* holdNode(port: AccessPort, address: number, write: boolean): Steps<number> {
  const base = yield* holdPage(port, pageOf(address), write);
  return base < 0 ? base : base + (address % PAGE_BYTES) / 4;
}

/** 0, or the errno of the first node that could not be written. */
export function* buildLists(port: AccessPort, pool: ListPool): Steps<number> {
  for (let list = 0; list < pool.lists; list++) {
    for (let position = 0; position < pool.length; position++) {
      const isLast = position + 1 === pool.length;
      const next = isLast ? 0 : nodeAddress(pool, list, position + 1);
      const at = yield* holdNode(port, nodeAddress(pool, list, position), true);
      if (at < 0) return at;
      const { words } = port.memory;
      words[at] = list;
      words[at + 1] = position;
      words[at + 2] = (next % HALF) | 0;
      words[at + 3] = Math.floor(next / HALF);
      port.release();
    }
  }
  return 0;
}

/** Follows each list by its pointers; how many nodes are what they should be, or an errno. */
export function* verifyLists(port: AccessPort, pool: ListPool): Steps<number> {
  let correct = 0;
  for (let list = 0; list < pool.lists; list++) {
    let address = nodeAddress(pool, list, 0);
    for (let position = 0; position < pool.length && address !== 0; position++) {
      const at = yield* holdNode(port, address, false);
      if (at < 0) return at;
      const { words } = port.memory;
      if (words[at] === list && words[at + 1] === position) correct++;
      address = (words[at + 2] >>> 0) + words[at + 3] * HALF;
      port.release();
    }
  }
  return correct;
}

/** Pages that the lists take. */
export function listPages({ lists, length }: ListPool): number {
  return Math.ceil((lists * length * NODE_WORDS) / PAGE_WORDS);
}

/** A pool from its numbers. */
export function listPool(page: number, lists: number, length: number): ListPool {
  return { page: vpn(page), lists, length };
}
