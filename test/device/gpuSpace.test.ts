/** Address spaces of a GPU: the same page of two spaces is two pages, in page table, TLB and fault buffer alike. */

import { beforeEach, describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { PAGE_WORDS, TASK_SIZE_PAGES, type Vpn, vpn } from '../../src/base/units.js';
import { NO_GPU_PTE } from '../../src/device/gpuPte.js';
import {
  FIRST_SPACE,
  inSpace,
  pageInSpace,
  SPACES_MAX,
  spaceId,
  spaceOf,
} from '../../src/device/gpuSpace.js';
import type { Steps } from '../../src/sim/steps.js';
import { finish, TestGpu } from './harness.js';

const PAGE = vpn(0x7f00);
const SECOND = spaceId(1);
const LAST = spaceId(SPACES_MAX - 1);

let test: TestGpu;

beforeEach(() => {
  test = new TestGpu();
});

/** Binds one page of RAM. */
function bind(page: Vpn, frame: number): Errno {
  return test.gpu.bind(page, 1, test.addrs(0, [test.mapRam(frame)]), true);
}

describe('a page with its space', () => {
  it('is the page itself in the first space, and both can be told again', () => {
    expect(inSpace(FIRST_SPACE, PAGE)).toBe(PAGE);
    for (const space of [FIRST_SPACE, SECOND, LAST]) {
      for (const page of [0, PAGE, TASK_SIZE_PAGES - 1]) {
        const tagged = inSpace(space, vpn(page));
        expect([spaceOf(tagged), pageInSpace(tagged)]).toEqual([space, page]);
        expect(Number.isSafeInteger(tagged * 2 + 1)).toBe(true);
      }
    }
    expect(() => spaceId(SPACES_MAX)).toThrow(AssertionFailure);
  });
});

describe('two spaces of a GPU', () => {
  it('translate the same page to different frames', () => {
    expect([bind(PAGE, 3), bind(inSpace(LAST, PAGE), 5)]).toEqual([Errno.OK, Errno.OK]);
    const frameOf = (space: number): number =>
      test.gpu.createContext(0, 1, spaceId(space)).tryPage(PAGE, true) / PAGE_WORDS;
    // Twice: from the page table, then from the TLB.
    for (let i = 0; i < 2; i++) {
      expect([frameOf(0), frameOf(LAST)]).toEqual([test.ram(3), test.ram(5)]);
    }
    expect(test.gpu.createContext(0, 1, SECOND).tryPage(PAGE, true)).toBe(-1);
    expect(test.gpu.pageTable.entries).toBe(2);
  });

  it('are zapped and invalidated one by one, and listed together', () => {
    bind(PAGE, 3);
    bind(inSpace(SECOND, PAGE), 5);
    const contexts = [FIRST_SPACE, SECOND].map((space) => test.gpu.createContext(0, 1, space));
    for (const context of contexts) context.tryPage(PAGE, true);
    expect([...test.gpu.snapshot().ptePages]).toEqual([PAGE, inSpace(SECOND, PAGE)]);
    test.gpu.zap(inSpace(SECOND, vpn(0)), TASK_SIZE_PAGES);
    test.gpu.invalidateTlb(inSpace(SECOND, vpn(0)), TASK_SIZE_PAGES);
    expect(contexts.map((context) => context.tryPage(PAGE, true) >= 0)).toEqual([true, false]);
    expect(test.gpu.pageTable.read(inSpace(SECOND, PAGE))).toBe(NO_GPU_PTE);
  });

  it('fault apart, each with its own name of the page', () => {
    const served: number[] = [];
    test.sink.handler = function* (page): Steps<Errno> {
      served.push(page);
      return Errno.OK;
    };
    const contexts = [FIRST_SPACE, SECOND].map((space) => test.gpu.createContext(0, 1, space));
    for (const context of contexts) expect(finish(test.sched, context.fault(PAGE, true))).toBe(Errno.OK);
    expect(served.sort((a, b) => a - b)).toEqual([PAGE, inSpace(SECOND, PAGE)]);
    expect(test.gpu.faults.counters.coalesced).toBe(0);
  });
});

describe('the end of a space', () => {
  it('gives its tables back, and its pages can be bound anew', () => {
    bind(PAGE, 1);
    const before = test.gpu.pageTable.freeTables;
    bind(inSpace(SECOND, PAGE), 5);
    expect(test.gpu.pageTable.freeTables).toBeLessThan(before);
    test.gpu.zap(inSpace(SECOND, PAGE), 1);
    test.gpu.removeSpace(SECOND);
    expect(test.gpu.pageTable.freeTables).toBe(before);
    expect(test.gpu.pageTable.read(inSpace(SECOND, PAGE))).toBe(NO_GPU_PTE);
    expect(bind(inSpace(SECOND, PAGE), 5)).toBe(Errno.OK);
  });

  it('is no error for a space that was never used', () => {
    test.gpu.removeSpace(SECOND);
    expect(bind(PAGE, 1)).toBe(Errno.OK);
  });
});

it('a space for which there is no table cannot be bound, and nothing is', () => {
  test = new TestGpu(1, {}, 4);
  expect(bind(PAGE, 1)).toBe(Errno.OK);
  expect(bind(inSpace(SECOND, PAGE), 2)).toBe(Errno.ENOMEM);
  expect(test.gpu.pageTable.entries).toBe(1);
});
