/** A GPU's address spaces: an access names one and a page in it, and both travel as one number. */

import { assert } from '../base/assert.js';
import type { Brand } from '../base/brand.js';
import { TASK_SIZE_PAGES, type Vpn } from '../base/units.js';

/** One address space of a device, from 0 on; that of a process is the same on all devices. @kernel pasid, asid */
export type SpaceId = Brand<number, 'SpaceId'>;

/** The one that exists from the start. */
export const FIRST_SPACE = 0 as SpaceId;

/** So many that a page with its space, times four, is still exact as a double. */
export const SPACES_MAX = 2 ** 16;

/** What a device calls a page of a space. For the first space that is the page number itself. */
export function inSpace(space: SpaceId, page: Vpn): Vpn {
  return (space * TASK_SIZE_PAGES + page) as Vpn;
}

export function spaceOf(page: Vpn): SpaceId {
  return Math.floor(page / TASK_SIZE_PAGES) as SpaceId;
}

/** The page without its space. */
export function pageInSpace(page: Vpn): Vpn {
  return (page % TASK_SIZE_PAGES) as Vpn;
}

export function spaceId(n: number): SpaceId {
  assert(Number.isInteger(n) && n >= 0 && n < SPACES_MAX, () => `${n} is no address space of a GPU`);
  return n as SpaceId;
}
