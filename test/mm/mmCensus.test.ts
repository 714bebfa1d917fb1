/** The census sees every entry once, wherever it lies. */

import { describe, expect, it } from 'vitest';
import { TASK_SIZE_PAGES, vpn } from '../../src/base/units.js';
import { Prot } from '../../src/mm/area/mmap.js';
import { census, forEachPte } from '../../src/mm/mmCensus.js';
import { makePte, PteKind, ptePfn } from '../../src/mm/table/pte.js';
import { makeMachine, makeMm, mapFixed, pteOf, run, TestCpu, TestDevice } from './harness.js';

describe('forEachPte', () => {
  it('visits populated pages in address order, from the lowest to the last', () => {
    const machine = makeMachine();
    const mm = makeMm(machine.kernel);
    const cpu = new TestCpu(machine, mm);
    const pages = [16, 511, 512, 2 ** 31 + 5, 2 ** 34, TASK_SIZE_PAGES - 1];
    for (const page of [...pages].reverse()) {
      mapFixed(machine, mm, page, 1);
      run(machine.kernel, cpu.store(page, page));
    }
    const seen: number[] = [];
    forEachPte(mm, (page, pte) => {
      expect(pte).toBe(pteOf(mm, page));
      seen.push(page);
    });
    expect(seen).toEqual(pages);
  });
});

describe('census', () => {
  it('counts by kind, and mappings by page', () => {
    const machine = makeMachine({ vramPages: [4] });
    const { kernel } = machine;
    const mm = makeMm(kernel);
    const cpu = new TestCpu(machine, mm);
    const device = new TestDevice(kernel);
    mapFixed(machine, mm, 1024, 8, Prot.Read | Prot.Write);
    for (let i = 0; i < 3; i++) run(kernel, cpu.store(1024 + i, i));
    run(kernel, cpu.load(1028));
    const onDevice = device.takePage(mm, 1025);
    const inMotion = pteOf(mm, 1026);
    mm.pageTable.write(mm.pageTable.slot(1026), makePte(PteKind.Migration, ptePfn(inMotion), 0));
    const counted = census(kernel, mm);
    expect(counted).toMatchObject({
      presentPages: 1,
      zeroPages: 1,
      devicePrivatePages: 1,
      migrationEntries: 1,
    });
    expect(counted.mappings).toEqual(
      new Map([
        [ptePfn(pteOf(mm, vpn(1024))), 1],
        [onDevice, 1],
      ]),
    );
  });
});
