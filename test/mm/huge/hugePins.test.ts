/** Pins of pages that a PMD leaf maps. */

import { beforeEach, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { PMD_PAGES, vpn } from '../../../src/base/units.js';
import type { Pfn } from '../../../src/memory/pfn.js';
import { isLeafAt } from '../../../src/mm/huge/hugeLeaf.js';
import { GupFlag } from '../../../src/mm/mirror/gup.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { checkAccounting, type Machine, makeMachine, makeMm, run, TestCpu, wordsOf } from '../harness.js';
import { HUGE_AREA, HUGE_RAM, mapHugeArea, mapHugePage } from './hugeHarness.js';

const PAGE = HUGE_AREA + 300;

let machine: Machine;
let mm: Mm;

beforeEach(() => {
  machine = makeMachine({ ramPages: HUGE_RAM, pagesPerStep: 512 });
  mm = makeMm(machine.kernel);
  mapHugeArea(machine, mm);
  mapHugePage(machine, mm, HUGE_AREA);
});

function pinToRead(): Pfn {
  const pages = new Uint32Array(1);
  const got = run(machine.kernel, machine.calls.gup.getUserPagesFast(mm, vpn(PAGE), 1, GupFlag.Pin, pages));
  expect(got).toBe(1);
  return pages[0] as Pfn;
}

function unpin(pfn: Pfn): void {
  machine.calls.gup.release(new Uint32Array([pfn]), 1, GupFlag.Pin);
}

it('of memory that nobody shares leave the leaf as it is', () => {
  unpin(pinToRead());
  expect(isLeafAt(mm.pageTable, PAGE)).toBe(true);
  checkAccounting(machine.kernel, [mm]);
});

it('of memory shared by a fork make the page the process’s own, so that the pin sees its stores and not the child’s', () => {
  const child = run(machine.kernel, machine.calls.fork.fork(mm, 2));
  assert(typeof child !== 'number', 'fork failed');
  const pfn = pinToRead();
  expect(isLeafAt(mm.pageTable, PAGE)).toBe(false);
  expect(isLeafAt(child.pageTable, PAGE)).toBe(true);
  run(machine.kernel, new TestCpu(machine, child).store(PAGE, 7));
  run(machine.kernel, new TestCpu(machine, mm).store(PAGE, 8));
  expect(wordsOf(machine.kernel, pfn)[0]).toBe(8);
  unpin(pfn);
  checkAccounting(machine.kernel, [mm, child]);
});

it('of memory that a fork has shared and that is the last one’s again need no copy', () => {
  const child = run(machine.kernel, machine.calls.fork.fork(mm, 2));
  assert(typeof child !== 'number', 'fork failed');
  run(machine.kernel, machine.calls.exit.mmput(child));
  const used = machine.kernel.ram.usedPages;
  unpin(pinToRead());
  expect([machine.kernel.ram.usedPages, isLeafAt(mm.pageTable, HUGE_AREA + PMD_PAGES - 1)]).toEqual([
    used,
    true,
  ]);
  checkAccounting(machine.kernel, [mm]);
});
