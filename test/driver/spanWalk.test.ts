/** Going through what is mapped of a span, as prefetches do. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { TASK_SIZE_PAGES, type Vpn, vpn } from '../../src/base/units.js';
import { walkMapped } from '../../src/driver/spanWalk.js';
import type { Steps } from '../../src/sim/steps.js';
import { makeMachine, makeMm, mapFixed, run } from '../mm/harness.js';

function walk(start: number, end: number): { errno: Errno; pages: Vpn[] } {
  const machine = makeMachine();
  const mm = makeMm(machine.kernel);
  mapFixed(machine, mm, 16, 2);
  mapFixed(machine, mm, 32, 1);
  const pages: Vpn[] = [];
  function* one(page: Vpn): Steps<Vpn> {
    if (pages.push(page) > 8) throw new Error('it has no end');
    return vpn(page + 1);
  }
  const errno = run(machine.kernel, walkMapped(mm, vpn(start), vpn(end), one));
  return { errno, pages };
}

describe('walkMapped', () => {
  it('passes over what is not mapped', () => {
    expect(walk(0, 64)).toEqual({ errno: Errno.OK, pages: [16, 17, 32] });
    expect(walk(17, 32)).toEqual({ errno: Errno.OK, pages: [17] });
  });

  it('ends where there are no addresses any more', () => {
    expect(walk(17, TASK_SIZE_PAGES + 8)).toEqual({ errno: Errno.OK, pages: [17, 32] });
  });
});
