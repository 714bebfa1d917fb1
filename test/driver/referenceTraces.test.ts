/** The reference traces T1 to T7: the order of the protocol's steps in a whole system, in both layouts. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { migrateToFaulting, type PlacementPolicy, stayInRam } from '../../src/driver/placement.js';
import { NotifyEvent } from '../../src/mm/mirror/mmuNotifier.js';
import { PteBit, PteKind, pteFromWord, pteHas, pteKind, ptePfn } from '../../src/mm/table/pte.js';
import { fill, load, type SeenStep, System, type SystemOptions, store } from './harness.js';

const AREA = 0x1000;
const PAGES = 16;
const layouts = ['n1', 'one-to-one'] as const;

/** Steps that the traces name; the others are how these are carried out. */
const NAMED = [
  'driver.fault',
  'driver.collectGarbage',
  'gpusvm.findOrInsert',
  'gpusvm.rangeInserted',
  'gpusvm.notifierInserted',
  'gpusvm.setUnmapped',
  'gpusvm.rangeRemoved',
  'gpusvm.notifierRemoved',
  'gpusvm.getPages',
  'gpusvm.mapped',
  'gpusvm.unmapped',
  'notifier.readBegin',
  'notifier.invStart',
  'notifier.callback',
  'notifier.invEnd',
  'rmap.tryToMigrate',
  'migrate.collect',
  'migrate.unmap',
  'migrate.pages',
  'migrate.finalize',
  'pagemap.populated',
  'device.copyChunk',
  'hmm.rangeFault',
  'hmm.fault',
  'fault.deviceLocked',
  'fault.deviceDone',
  'pagemap.toRam',
  'pagemap.evict',
  'pagemap.evictDone',
  'zap.cleared',
  'device.zap',
  'device.tlbInvalidate',
  'device.bind',
  'driver.faultDone',
];

/** Finding a range; the snapshot of where its pages are. */
const SCAN = ['notifier.readBegin', 'hmm.rangeFault'];
const FIND_NEW = ['driver.fault', 'gpusvm.findOrInsert', 'gpusvm.rangeInserted', 'gpusvm.notifierInserted'];
const ZAP_DEVICE = ['device.zap', 'device.tlbInvalidate', 'gpusvm.unmapped'];
const MOVE = ['device.copyChunk', 'migrate.pages', 'migrate.finalize'];
const GET_AND_BIND = [
  'gpusvm.getPages',
  'notifier.readBegin',
  'hmm.rangeFault',
  'gpusvm.mapped',
  'device.bind',
  'driver.faultDone',
];

/** A mirror whose device 0 has the whole area, each page with a number of its own: the state after T1. */
function afterT1(options: SystemOptions = {}): System {
  const system = new System(options);
  system.map(AREA, PAGES);
  expect(system.run(fill(system.cpus[0], AREA, PAGES, 100))).toBe(Errno.OK);
  system.seen.length = 0;
  expect(system.run(store(system.context(0), AREA + 3, 77))).toBe(Errno.OK);
  return system;
}

function has(seen: readonly SeenStep[], name: string): boolean {
  return seen.some((step) => step.name === name);
}

/** In 1:1 the mirrors of both devices are called; only one has something to take away. */
function collapseIdleCallbacks(trace: string[]): string[] {
  return trace.filter((name, i) => name !== 'notifier.callback' || trace[i - 1] !== 'notifier.callback');
}

describe.each(layouts)('%s', (layout) => {
  it('T1: a GPU faults on memory that the CPU has filled', () => {
    const system = afterT1({ layout });
    expect(has(system.seen, 'hmm.fault')).toBe(false);
    expect(system.trace(NAMED)).toEqual([
      ...FIND_NEW,
      ...SCAN,
      'notifier.invStart',
      'notifier.callback',
      'migrate.collect',
      'notifier.invEnd',
      'migrate.unmap',
      'pagemap.populated',
      ...MOVE,
      ...GET_AND_BIND,
    ]);
    expect(system.placesOf(AREA, PAGES)).toEqual(['vram0']);
    system.checkAtRest();
  });

  it('T2: the CPU touches one of these pages', () => {
    const system = afterT1({ layout });
    system.seen.length = 0;
    expect(system.run(load(system.cpus[0], AREA + 3))).toBe(77);
    expect(system.trace(NAMED)).toEqual([
      'fault.deviceLocked',
      'pagemap.toRam',
      'notifier.invStart',
      'notifier.callback',
      ...ZAP_DEVICE,
      'migrate.collect',
      'notifier.invEnd',
      'migrate.unmap',
      ...MOVE,
      'fault.deviceDone',
    ]);
    expect(system.placesOf(AREA, PAGES)).toEqual(['ram']);
    expect(system.devices[0].gpu.vram.usedPages).toBe(0);
    system.checkAtRest();
  });

  it('T3: the middle of the range is unmapped; the device finds smaller ranges with the same memory', () => {
    const system = afterT1({ layout });
    system.seen.length = 0;
    system.run(system.cpus[0].munmap(vpn(AREA + 4), 4));
    const unmap = system.seen.filter(({ task }) => !task.startsWith('garbage'));
    const collector = system.seen.filter(({ task }) => task.startsWith('garbage'));
    const wanted = new Set(NAMED);
    expect(unmap.map(({ name }) => name).filter((name) => wanted.has(name))).toEqual([
      'notifier.invStart',
      'notifier.callback',
      ...ZAP_DEVICE,
      'gpusvm.setUnmapped',
      'zap.cleared',
      'notifier.invEnd',
    ]);
    expect(collector.map(({ name }) => name)).toEqual([
      'driver.collectGarbage',
      'gpusvm.rangeRemoved',
      'gpusvm.notifierRemoved',
    ]);
    const order = system.trace([
      'gpusvm.setUnmapped',
      'driver.collectGarbage',
      'notifier.invEnd',
      'gpusvm.notifierRemoved',
    ]);
    expect(order.indexOf('gpusvm.setUnmapped')).toBeLessThan(order.indexOf('driver.collectGarbage'));
    expect(order.indexOf('notifier.invEnd')).toBeLessThan(order.indexOf('gpusvm.notifierRemoved'));
    expect(system.rangeAt(AREA)).toBe(null);
    expect(system.devices[0].gpu.pageTable.entries).toBe(0);
    system.checkAtRest();

    system.seen.length = 0;
    expect(system.run(load(system.context(0), AREA))).toBe(100);
    expect(system.trace(NAMED)).toEqual([...FIND_NEW, ...SCAN, ...GET_AND_BIND]);
    expect(system.rangeAt(AREA)?.npages).toBe(1);
    expect(system.run(load(system.context(0), AREA + 5))).toBe(Errno.EFAULT);
    expect(system.placesOf(AREA, 4)).toEqual(['vram0']);
    system.checkAtRest();
  });

  it('T4: a peer reads the data where it is', () => {
    const system = afterT1({ layout, policy: migrateToFaulting(true) });
    system.seen.length = 0;
    expect(system.run(load(system.context(1), AREA + 3))).toBe(77);
    const found = layout === 'n1' ? ['driver.fault', 'gpusvm.findOrInsert'] : FIND_NEW;
    expect(system.trace(NAMED)).toEqual([...found, ...SCAN, ...GET_AND_BIND]);
    expect(system.placesOf(AREA, PAGES)).toEqual(['vram0']);
    expect(system.coordinator.gpus[0].dpagemap?.references).toBe(1 + 1 + 2);
    system.checkAtRest();
  });

  it('T4: a stranger makes the pages come home as if the CPU had touched them, and maps RAM', () => {
    const policy: { -readonly [K in keyof PlacementPolicy]: PlacementPolicy[K] } = {
      ...migrateToFaulting(false),
    };
    const system = afterT1({ layout, interconnect: 'none', policy });
    policy.place = stayInRam.place;
    system.seen.length = 0;
    expect(system.run(load(system.context(1), AREA + 3))).toBe(77);
    const found = layout === 'n1' ? ['driver.fault', 'gpusvm.findOrInsert'] : FIND_NEW;
    const trace = collapseIdleCallbacks(system.trace(NAMED));
    // The first page brings all along; HMM goes on over the rest of the span, which is in RAM by then.
    expect(trace).toEqual([
      ...found,
      'gpusvm.getPages',
      'notifier.readBegin',
      'hmm.rangeFault',
      'hmm.fault',
      'fault.deviceLocked',
      'pagemap.toRam',
      'notifier.invStart',
      'notifier.callback',
      ...ZAP_DEVICE,
      ...(layout === 'n1' ? [] : ['notifier.callback']),
      'migrate.collect',
      'notifier.invEnd',
      'migrate.unmap',
      ...MOVE,
      'fault.deviceDone',
      'notifier.readBegin',
      'hmm.rangeFault',
      'gpusvm.mapped',
      'device.bind',
      'driver.faultDone',
    ]);
    expect(system.placesOf(AREA, PAGES)).toEqual(['ram']);
    system.checkAtRest();
  });

  it('T5: the memory is evicted, page by page, without mmap_lock', () => {
    const system = afterT1({ layout });
    system.seen.length = 0;
    expect(system.run(system.coordinator.vram.evictAll(system.coordinator.gpus[0]))).toBe(Errno.OK);
    const perPage = ['notifier.invStart', 'notifier.callback', 'rmap.tryToMigrate', 'notifier.invEnd'];
    const [start, callback, entry, end] = perPage;
    expect(system.trace(NAMED)).toEqual([
      'pagemap.evict',
      // The first page's callback takes the whole range away from the device.
      ...[start, callback, ...ZAP_DEVICE, entry, end],
      ...new Array<string[]>(PAGES - 1).fill(perPage).flat(),
      'migrate.unmap',
      ...MOVE,
      'pagemap.evictDone',
    ]);
    expect(system.placesOf(AREA, PAGES)).toEqual(['ram']);
    expect(system.devices[0].gpu.vram.usedPages).toBe(0);
    system.checkAtRest();
  });

  it('T5: a peer that maps the memory loses it at the same time', () => {
    const system = afterT1({ layout, policy: migrateToFaulting(true) });
    system.run(load(system.context(1), AREA));
    expect(system.devices.map(({ gpu }) => gpu.pageTable.entries)).toEqual([PAGES, PAGES]);
    expect(system.run(system.coordinator.vram.evictAll(system.coordinator.gpus[0]))).toBe(Errno.OK);
    expect(system.devices.map(({ gpu }) => gpu.pageTable.entries)).toEqual([0, 0]);
    system.checkAtRest();
  });

  it('T6: pages go from one device to another, by the copy engine of the first', () => {
    const system = afterT1({ layout });
    const [from, to] = system.devices.map(({ gpu }) => gpu.copyEngine.counters);
    system.seen.length = 0;
    expect(system.run(load(system.context(1), AREA + 3))).toBe(77);
    const found = layout === 'n1' ? ['driver.fault', 'gpusvm.findOrInsert'] : FIND_NEW;
    expect(collapseIdleCallbacks(system.trace(NAMED))).toEqual([
      ...found,
      ...SCAN,
      'notifier.invStart',
      'notifier.callback',
      ...ZAP_DEVICE,
      ...(layout === 'n1' ? [] : ['notifier.callback']),
      'migrate.collect',
      'notifier.invEnd',
      'migrate.unmap',
      'pagemap.populated',
      ...MOVE,
      ...GET_AND_BIND,
    ]);
    expect([from.peerBytes, to.peerBytes, from.deviceToHostBytes]).toEqual([PAGES * 4096, 0, 0]);
    expect(system.placesOf(AREA, PAGES)).toEqual(['vram1']);
    expect(system.devices[0].gpu.vram.usedPages).toBe(0);
    system.checkAtRest();
  });

  it('T6: what is a hole or in RAM comes along, by the copy engine of the second', () => {
    const system = new System({ layout });
    system.map(AREA, PAGES);
    expect(system.run(fill(system.cpus[0], AREA, 4, 100))).toBe(Errno.OK);
    const { coordinator } = system;
    const peer = coordinator.gpus[0].dpagemap;
    expect(peer).not.toBeNull();
    if (peer === null) return;
    // Two of the peer's pages between two in RAM; behind them holes.
    expect(system.run(peer.populateMm(coordinator.mm, vpn(AREA + 1), vpn(AREA + 3), 0))).toBe(Errno.OK);
    const [from, to] = system.devices.map(({ gpu }) => gpu.copyEngine.counters);
    system.seen.length = 0;
    expect(system.run(load(system.context(1), AREA + 2))).toBe(102);
    const runs = system.seen
      .filter(({ name }) => name === 'pagemap.copied')
      .map(({ args }) => args.slice(0, 3));
    expect(
      system.trace(['pagemap.populated', 'pagemap.copied', 'migrate.pages', 'migrate.finalize']),
    ).toEqual(['pagemap.populated', 'pagemap.copied', 'migrate.pages', 'migrate.finalize']);
    expect(runs).toEqual([
      [AREA, 1, -1],
      [AREA + 1, 2, 0],
      [AREA + 3, PAGES - 3, -1],
    ]);
    expect([from.peerBytes, to.hostToDeviceBytes]).toEqual([2 * 4096, 2 * 4096]);
    expect(system.placesOf(AREA, PAGES)).toEqual(['vram1']);
    expect(system.run(load(system.context(1), AREA + PAGES - 1))).toBe(0);
    expect(system.devices[0].gpu.vram.usedPages).toBe(0);
    system.checkAtRest();
  });

  it('T7: a fork makes both processes share the device pages; a read of the child takes them home for both', () => {
    const system = afterT1({ layout, cpuThreads: 2 });
    const { coordinator } = system;
    system.seen.length = 0;
    const child = system.fork(1);
    const started = system.seen.find(({ name }) => name === 'notifier.invStart');
    expect(system.trace([...NAMED, 'fork.area'])).toEqual([
      'notifier.invStart',
      'notifier.callback',
      ...ZAP_DEVICE,
      'notifier.invEnd',
      'fork.area',
    ]);
    expect(started?.args).toEqual([AREA, PAGES, NotifyEvent.ProtectionPage, coordinator.mm.id]);
    for (const mm of [coordinator.mm, child]) {
      const pte = pteFromWord(mm.pageTable.get(vpn(AREA + 3)));
      expect([pteKind(pte), pteHas(pte, PteBit.Write)]).toEqual([PteKind.DevicePrivate, false]);
      expect(coordinator.kernel.folios.refcount(ptePfn(pte))).toBe(2);
      expect(coordinator.kernel.folios.mapcount(ptePfn(pte))).toBe(2);
    }

    // The device has used nothing since, so that the fork's callback has left nothing to take away.
    system.seen.length = 0;
    expect(system.run(load(system.cpus[1], AREA + 3))).toBe(77);
    const perPage = ['notifier.invStart', 'notifier.callback', 'rmap.tryToMigrate', 'notifier.invEnd'];
    const raised = system.seen.filter(({ name }) => name === 'notifier.invStart').map(({ args }) => args);
    expect(system.trace(NAMED)).toEqual([
      'fault.deviceLocked',
      'pagemap.toRam',
      'notifier.invStart',
      'migrate.collect',
      'notifier.invEnd',
      ...new Array<string[]>(PAGES).fill(perPage).flat(),
      'migrate.unmap',
      ...MOVE,
      'fault.deviceDone',
    ]);
    expect(raised[0]).toEqual([AREA, PAGES, NotifyEvent.Migrate, child.id]);
    expect(raised.slice(1)).toEqual(
      Array.from({ length: PAGES }, (_, i) => [AREA + i, 1, NotifyEvent.Clear, coordinator.mm.id]),
    );
    expect(system.placesOf(AREA, PAGES)).toEqual(['ram']);
    expect(system.devices[0].gpu.vram.usedPages).toBe(0);
  });

  it('T7: a store of the device after the fork does not reach the child', () => {
    const system = afterT1({ layout, cpuThreads: 2 });
    system.fork(1);
    expect(system.run(store(system.context(0), AREA + 3, 5))).toBe(Errno.OK);
    expect(system.run(load(system.cpus[0], AREA + 3))).toBe(5);
    expect(system.run(load(system.cpus[1], AREA + 3))).toBe(77);
  });
});
