/** Each rule trips when the one thing that it is about is wrong, and the violation says where and what happened there last. */

import { beforeEach, describe, expect, it } from 'vitest';
import { assert } from '../../src/base/assert.js';
import { formatVpn, PMD_PAGES, type Vpn, vpn } from '../../src/base/units.js';
import { iommuWord } from '../../src/device/iommu.js';
import { Location } from '../../src/driver/attributes/location.js';
import { DriverRange, type RangeDevice } from '../../src/driver/driverRange.js';
import type { PlacementPolicy } from '../../src/driver/placement.js';
import { DmaFence } from '../../src/drm/dmaFence.js';
import { GpuSvmNotifier } from '../../src/drm/gpusvm/notifier.js';
import { PagesFlag } from '../../src/drm/gpusvm/pages.js';
import { DmaDir, DmaProto, dmaAddr, dmaAddrAt, dmaPage } from '../../src/memory/dmaAddr.js';
import { DmaIovaState } from '../../src/memory/dmaIova.js';
import { FolioFlag } from '../../src/memory/folios.js';
import { formatPfn, NO_PFN, pfn } from '../../src/memory/pfn.js';
import { MapFlag, Prot } from '../../src/mm/area/mmap.js';
import { Vma, VmFlag } from '../../src/mm/area/vma.js';
import { Mm } from '../../src/mm/process/mm.js';
import { makeSwapPte } from '../../src/mm/swap/swapCache.js';
import { makePte, PteBit, PteKind, pteWith, pteWithout } from '../../src/mm/table/pte.js';
import type { Steps } from '../../src/sim/steps.js';
import { actorId } from '../../src/sim/task.js';
import { WaitQueue } from '../../src/sim/waitQueue.js';
import { BUFFER, failed, rule, TestMachine } from './harness.js';

/** Device 0 takes pages to its VRAM; device 1 maps them where they are. */
const onlyDevice0: PlacementPolicy = {
  name: 'only device 0',
  onlySystemPages: true,
  place: ({ device }) => (device === 0 ? 0 : Location.Undefined),
};

/** In VRAM of device 0, bound there for stores, and mapped by device 1 over the peer link. */
const IN_VRAM = BUFFER;
/** In RAM, mapped by device 1 through its IOMMU. */
const IN_RAM = vpn(BUFFER + 16);
/** In RAM, and no device looks at it. */
const CPU_ONLY = vpn(BUFFER + 32);
/** Read, but never written. */
const ZERO = vpn(BUFFER + 40);
/** Shared memory: a page of a file. */
const SHARED = vpn(BUFFER + 60);

let machine: TestMachine;

beforeEach(() => {
  machine = new TestMachine({ policy: onlyDevice0, ramPages: 256 + 2 * PMD_PAGES });
  expect(machine.coordinator.kernel.hugetlb.resize(1)).toBe(1);
  machine.run(machine.map(64));
  machine.run(machine.store(machine.cpus[0], IN_VRAM, 16, 1));
  machine.run(machine.store(machine.gpu(0), IN_VRAM, 16, 100));
  machine.run(machine.load(machine.gpu(1), IN_VRAM, 4));
  machine.run(machine.store(machine.gpu(1), IN_RAM, 16, 200));
  machine.run(machine.store(machine.cpus[0], CPU_ONLY, 4, 300));
  machine.run(machine.load(machine.cpus[0], ZERO, 1));
  machine.run(mapShared());
  machine.run(machine.store(machine.cpus[0], SHARED, 1, 400));
});

function* mapShared(): Steps<void> {
  const flags = MapFlag.Fixed | MapFlag.Shared;
  const at = yield* machine.cpus[0].mmap(SHARED, 4, Prot.Read | Prot.Write, flags);
  assert(at === SHARED, 'shared memory could not be mapped');
}

function partAt(page: Vpn, device: number): { range: DriverRange; part: RangeDevice } {
  const range = machine.coordinator.vms[0].gpusvm.findRange(page);
  assert(range instanceof DriverRange, 'no range there');
  const part = range.find(machine.coordinator.gpus[device]);
  assert(part !== null, 'the device has no part of the range');
  return { range, part };
}

function addresses(page: Vpn, device: number): Uint32Array {
  const { dmaAddrs } = partAt(page, device).part.pages;
  assert(dmaAddrs !== null, 'the pages have no addresses');
  return dmaAddrs;
}

/** The I/O page through which device 1 reaches a page of RAM. */
function iovaOf(page: Vpn): number {
  const { range } = partAt(page, 1);
  return dmaPage(dmaAddrAt(addresses(page, 1), page - range.start));
}

/** The rules that fail now. */
function broken(): string[] {
  return failed(machine.verify());
}

it('starts from a machine on which every rule holds and has something to look at', () => {
  const results = machine.verify();
  expect(failed(results)).toEqual([]);
  for (const { name, detail } of results) expect(`${name}: ${detail}`).not.toMatch(/: 0 /);
});

describe('hugetlb', () => {
  it('sees a promise that no mapping has', () => {
    expect(machine.coordinator.kernel.hugetlb.reserve(1)).toBe(true);
    expect(broken()).toEqual(['hugetlb']);
  });

  it('sees a huge page that nobody gave back', () => {
    expect(machine.coordinator.kernel.hugetlb.alloc(false)).not.toBe(NO_PFN);
    expect(broken()).toEqual(['M2', 'zones']);
  });

  it('sees a used huge page on the LRU, and one that is no hugetlb page any more', () => {
    const head = machine.coordinator.kernel.hugetlb.alloc(false);
    machine.folioField('flags')[head] = FolioFlag.Large | FolioFlag.Lru;
    expect(rule(machine.verify(), 'hugetlb').detail).toContain('is on the LRU');
    expect(rule(machine.verify(), 'hugetlb').detail).toContain('no huge page of the pool any more');
  });
});

describe('M1, content', () => {
  it('sees a changed word in RAM', () => {
    machine.memory.words[machine.memory.wordIndex(machine.pfn(CPU_ONLY))]++;
    expect(broken()).toEqual(['M1']);
  });

  it('sees a changed word in VRAM', () => {
    machine.memory.words[machine.memory.wordIndex(machine.pfn(IN_VRAM)) + 1023]++;
    expect(broken()).toEqual(['M1']);
    expect(rule(machine.verify(), 'M1').detail).toContain('in vram0');
  });

  it('sees a page that is gone', () => {
    machine.stored.set(vpn(ZERO + 1), 7);
    expect(rule(machine.verify(), 'M1').detail).toContain('holds no page, but 7 was stored');
  });

  describe('of a span of which only some pages were stored to', () => {
    const SPAN = 2 ** 28;

    function looked(written: readonly Vpn[]): { detail: string; pages: Set<Vpn> } {
      const all = machine.expectation();
      const pages = new Set<Vpn>();
      const check: typeof all.check = (page, words) => {
        pages.add(page);
        return all.check(page, words);
      };
      const sparse = { ...all, npages: SPAN, check, written };
      return { detail: rule(machine.verify({ expectations: [sparse] }), 'M1').detail, pages };
    }

    it('looks at those, and at what is populated', () => {
      const gone = vpn(BUFFER + 1000);
      const { detail, pages } = looked([CPU_ONLY, gone]);
      expect(detail).toContain(`${SPAN.toLocaleString('en-US')} pages`);
      expect(pages.has(gone) && pages.has(CPU_ONLY) && pages.has(IN_VRAM)).toBe(true);
      expect(pages.size).toBeLessThan(100);
    });

    it('sees one that is gone, and a changed word', () => {
      const gone = vpn(ZERO + 1);
      machine.stored.set(gone, 7);
      expect(looked([gone]).detail).toContain('holds no page, but 7 was stored');
      machine.stored.delete(gone);
      machine.memory.words[machine.memory.wordIndex(machine.pfn(CPU_ONLY))]++;
      expect(looked([]).detail).toContain(formatVpn(CPU_ONLY));
    });

    it('sees what is in swap, of shared memory too', () => {
      machine.run(machine.coordinator.calls.reclaim.shrinkMm(machine.coordinator.mm));
      for (const page of [CPU_ONLY, SHARED]) {
        const before = machine.stored.get(page) ?? 0;
        machine.stored.set(page, 12345);
        expect(looked([]).detail).toContain('in swap');
        machine.stored.set(page, before);
      }
    });
  });

  it('reports populated pages that no expectation covers', () => {
    const results = machine.verify({ expectations: [machine.expectation(BUFFER, 33)] });
    expect(failed(results)).toEqual(['content']);
    expect(rule(results, 'content').detail).toContain(formatVpn(CPU_ONLY + 1));
  });

  it('does not count the zero page as populated', () => {
    expect(rule(machine.verify(), 'content').detail).toBe('37 populated pages');
  });
});

describe('folios', () => {
  it('M2: a reference too many', () => {
    machine.folioField('refs')[machine.pfn(CPU_ONLY)]++;
    expect(broken()).toEqual(['M2']);
  });

  it('M2: a free page with a reference', () => {
    machine.folioField('refs')[machine.freePfn(0)]++;
    expect(broken()).toEqual(['M2']);
  });

  it('M2: a page that was allocated and forgotten', () => {
    machine.coordinator.kernel.ram.allocPage();
    expect(broken()).toEqual(['M2', 'zones']);
  });

  it('M3: a mapping too many', () => {
    machine.folioField('maps')[machine.pfn(IN_VRAM)]++;
    expect(broken()).toEqual(['M3']);
  });

  it("page cache: a page that says it is another file's, beyond the end, or missing", () => {
    const pfnOfShared = machine.pfn(SHARED);
    machine.folioField('mappings')[pfnOfShared]++;
    expect(broken()).toEqual(['page cache', 'file mappings']);
    machine.folioField('mappings')[pfnOfShared]--;
    const file = machine.coordinator.mm.vmas.find(SHARED)?.file;
    assert(file != null, 'shared memory has no file');
    file.mapping.npages = 0;
    expect(broken()).toEqual(['page cache']);
    file.mapping.npages = 4;
    file.mapping.pages.delete(0);
    expect(broken()).toEqual(['M2']);
  });

  it('page cache: areas and files that do not know one another', () => {
    const vma = machine.coordinator.mm.vmas.find(SHARED);
    assert(vma?.file != null, 'shared memory has no file');
    vma.file.mapping.unlink(vma);
    expect(broken()).toEqual(['file mappings']);
    vma.file.mapping.link(machine.coordinator.mm, vma);
    machine.coordinator.mm.vmas.remove(vma);
    expect(broken()).toContain('page cache');
  });

  it('file mappings: an entry of a page that its area does not show', () => {
    machine.folioField('flags')[machine.pfn(CPU_ONLY)] &= ~FolioFlag.Anon;
    expect(broken()).toEqual(['file mappings']);
  });

  it('leaves: a word that says it is part of a leaf, alone', () => {
    machine.setPte(CPU_ONLY, makePte(PteKind.Present, machine.pfn(CPU_ONLY), PteBit.Write | PteBit.Huge));
    expect(broken()).toContain('leaves');
  });

  it('M4: a lock that nobody released', () => {
    machine.folioField('flags')[machine.pfn(CPU_ONLY)] |= FolioFlag.Locked;
    expect(broken()).toEqual(['M4']);
  });

  it('M4: the owner of a lock that is not held', () => {
    machine.folioField('lockOwners')[machine.freePfn(1)] = 7;
    expect(broken()).toEqual(['M4']);
  });

  it('M4: a migration entry, which also is no mapping', () => {
    machine.setPte(CPU_ONLY, makePte(PteKind.Migration, machine.pfn(CPU_ONLY), PteBit.Write));
    expect(broken()).toEqual(['M2', 'M3', 'M4', 'zones']);
  });

  it('M9: device memory on the LRU', () => {
    machine.folioField('flags')[machine.pfn(IN_VRAM)] |= FolioFlag.Lru;
    expect(broken()).toEqual(['M9']);
  });

  it('M11: an order that the pages of the folio do not have', () => {
    machine.folioField('flags')[machine.pfn(CPU_ONLY)] |= FolioFlag.Large;
    expect(broken()).toContain('M11');
  });

  it('M11: a tail of a folio that has none', () => {
    const page = machine.pfn(CPU_ONLY);
    machine.folioField('flags')[page] |= FolioFlag.Tail;
    machine.folioField('mappings')[page] = machine.pfn(IN_RAM);
    expect(broken()).toContain('M11');
  });

  it('M9: a free page on the LRU', () => {
    machine.folioField('flags')[machine.freePfn(0)] |= FolioFlag.Lru;
    expect(broken()).toEqual(['M9']);
  });
});

describe('device pages', () => {
  it('M5: a page in use without zone device data', () => {
    machine.folioField('zoneDatas')[machine.pfn(IN_VRAM)] = 0;
    expect(broken()).toEqual(['M5']);
  });

  it('M5: a free page that keeps its zone device data', () => {
    machine.folioField('zoneDatas')[machine.freePfn(1)] = 1;
    expect(broken()).toEqual(['M5']);
  });

  it('M5: zone device data that does not exist', () => {
    machine.folioField('zoneDatas')[machine.pfn(IN_VRAM)] = 999;
    expect(rule(machine.verify(), 'M5').detail).toContain('which does not exist');
  });

  it('M5: a reference of zone device data too many', () => {
    const [zdd] = machine.coordinator.zdds;
    zdd.refs++;
    expect(broken()).toEqual(['M5']);
  });

  it('M5: zone device data left over by a migration', () => {
    const { dpagemap } = machine.coordinator.gpus[1];
    assert(dpagemap !== null, 'no pagemap');
    machine.coordinator.zdds.create(dpagemap);
    expect(broken()).toEqual(['M5']);
  });

  it('M5: a page that points to the data of another device', () => {
    const { dpagemap } = machine.coordinator.gpus[1];
    assert(dpagemap !== null, 'no pagemap');
    machine.folioField('zoneDatas')[machine.pfn(IN_VRAM)] = machine.coordinator.zdds.create(dpagemap).id;
    expect(rule(machine.verify(), 'M5').detail).toContain('a page of gpu0 points to data of gpu1');
  });

  it('M5: a page that is not one of its allocation', () => {
    for (const devmem of machine.coordinator.gpus[0].allocations) devmem.pfns[0] = 1;
    const results = machine.verify();
    expect(failed(results)).toEqual(['M5']);
    expect(rule(results, 'M5').detail).toContain('not a page of its allocation');
  });

  it('M5: a page that belongs to another allocation on the device', () => {
    const devices = machine.snapshots();
    devices[0].vramRuns[0]++;
    expect(failed(machine.verify({ devices }))).toEqual(['M5', 'zones']);
  });

  it('R5: an allocation in use that the driver has forgotten', () => {
    machine.coordinator.gpus[0].allocations.clear();
    expect(broken()).toEqual(['R5', 'zones']);
  });

  it('R5: a listed allocation that was released', () => {
    for (const devmem of machine.coordinator.gpus[0].allocations) devmem.released = true;
    expect(broken()).toEqual(['R5']);
  });

  it('R5: a listed allocation that no page refers to', () => {
    const [zdd] = machine.coordinator.zdds;
    zdd.devmem = null;
    expect(broken()).toEqual(['M5', 'R5']);
  });
});

describe('entries and areas', () => {
  /** Of the buffer; entries keep what they allow. */
  function setAreaFlags(flags: number): void {
    const vma = machine.coordinator.mm.vmas.find(CPU_ONLY);
    assert(vma !== null, 'no area');
    vma.flags = flags;
  }

  it('M7: a writable entry of the zero page', () => {
    machine.setPte(ZERO, pteWith(machine.pte(ZERO), PteBit.Write));
    expect(broken()).toEqual(['M7']);
  });

  it('M7: writable entries in an area that may only be read', () => {
    setAreaFlags(VmFlag.Read);
    expect(broken()).toEqual(['M7']);
  });

  it('M7: present entries in an area that allows nothing', () => {
    setAreaFlags(0);
    for (const { page, pte } of machine.entries()) machine.setPte(page, pteWithout(pte, PteBit.Write));
    const { detail } = rule(machine.verify(), 'M7');
    expect(detail).toContain('present in an area that allows nothing');
    expect(detail).not.toContain('writable');
  });

  it('areas: entries that outlived their area', () => {
    const { vmas } = machine.coordinator.mm;
    for (const vma of [...vmas]) if (vma.isAnonymous) vmas.remove(vma);
    expect(broken()).toEqual(['areas']);
  });

  it('areas: a present entry of device memory', () => {
    machine.setPte(IN_VRAM, makePte(PteKind.Present, machine.pfn(IN_VRAM), PteBit.Write));
    expect(broken()).toEqual(['areas']);
  });
});

describe('I1, interval notifiers', () => {
  it('sees an odd sequence', () => {
    machine.coordinator.mm.notifiers.invalidateSeq++;
    expect(broken()).toEqual(['I1']);
  });

  it('sees an invalidation without end', () => {
    machine.coordinator.mm.notifiers.activeInvalidations++;
    expect(broken()).toEqual(['I1']);
  });

  it('sees a deferred removal that never came', () => {
    partAt(IN_VRAM, 0).range.notifier.interval.deferred = 'remove';
    expect(broken()).toEqual(['I1']);
  });

  it('sees a notifier that the address space does not know', () => {
    partAt(IN_VRAM, 0).range.notifier.interval.node = null;
    expect(broken()).toEqual(['I1']);
  });

  it('sees a sequence from the future', () => {
    partAt(IN_VRAM, 0).range.notifier.interval.invalidateSeq += 100;
    expect(broken()).toEqual(['I1']);
  });

  it('sees an interval that belongs to no mirror', () => {
    const { mm, vms } = machine.coordinator;
    const stray = new GpuSvmNotifier(vms[0].gpusvm, vpn(10), vpn(20)).interval;
    machine.run(mm.notifiers.insert(stray));
    expect(broken()).toEqual(['I1']);
  });
});

describe('I4, translations', () => {
  it('sees an entry to a page that the CPU maps elsewhere', () => {
    const other = machine.pfn(CPU_ONLY);
    const mine = machine.pfn(IN_RAM);
    machine.setPte(IN_RAM, makePte(PteKind.Present, other, PteBit.Write));
    machine.setPte(CPU_ONLY, makePte(PteKind.Present, mine, PteBit.Write));
    expect(broken()).toEqual(['M1', 'I4', 'D6']);
  });

  it('sees an entry that allows more than that of the CPU', () => {
    machine.setPte(IN_RAM, pteWithout(machine.pte(IN_RAM), PteBit.Write));
    expect(broken()).toEqual(['I4', 'D6']);
  });

  it('sees the same of device memory, which the CPU could not write if it came home', () => {
    machine.setPte(IN_VRAM, pteWithout(machine.pte(IN_VRAM), PteBit.Write));
    expect(broken()).toEqual(['I4', 'D6']);
  });

  it('sees entries that are missing from a bound range, and a TLB that still has them', () => {
    machine.devices[0].gpu.pageTable.zap(IN_VRAM, 1);
    const { detail } = rule(machine.verify(), 'I4');
    expect(broken()).toEqual(['I4']);
    expect(detail).toContain('has 15 entries of a range of 16 that is bound');
    expect(detail).toContain('the TLB of gpu0 has rw own VRAM pfn');
  });

  it('sees entries of a range that is not bound', () => {
    partAt(IN_VRAM, 0).part.bound = false;
    expect(broken()).toEqual(['I4']);
  });

  it('sees a range bound for stores that is believed to be for loads', () => {
    partAt(IN_VRAM, 0).part.boundWritable = false;
    expect(broken()).toEqual(['I4']);
  });

  it('sees an entry of no range at all', () => {
    const { gpu } = machine.devices[1];
    const vram = machine.coordinator.kernel.memory.layout.vramOf(1);
    gpu.pageTable.bind(
      vpn(99),
      1,
      Uint32Array.of(dmaAddr(DmaProto.Vram, vram.firstPfn, DmaDir.Bidirectional)),
      false,
    );
    const results = machine.verify();
    expect(failed(results)).toEqual(['I4']);
    expect(rule(results, 'I4').detail).toContain('gpu1 has an entry where no range is bound');
  });

  it('sees a TLB entry that allows more than the page table', () => {
    const devices = machine.snapshots();
    devices[0].ptes[0] &= ~2;
    const { detail } = rule(machine.verify({ devices }), 'I4');
    expect(detail).toContain('the TLB of gpu0 has rw');
  });
});

describe('DMA', () => {
  it('D1: a mapping that nobody holds', () => {
    machine.coordinator.gpus[1].iommu.map(machine.pfn(CPU_ONLY), DmaDir.Bidirectional);
    expect(broken()).toEqual(['D1']);
  });

  it('D1: an address held twice', () => {
    const { range } = partAt(IN_RAM, 1);
    const entries = addresses(IN_RAM, 1);
    entries[IN_RAM - range.start + 1] = entries[IN_RAM - range.start];
    const results = machine.verify();
    expect(failed(results)).toEqual(['D1', 'D2', 'D6']);
    expect(rule(results, 'D1').detail).toContain('of gpu1 is held twice');
  });

  it('D1: addresses of pages that count as unmapped', () => {
    const { pages } = partAt(IN_RAM, 1).part;
    pages.flags = 0;
    expect(broken()).toEqual(['D1', 'S4']);
  });

  it('D1: a ledger that does not balance', () => {
    machine.coordinator.gpus[0].iommu.mapsTotal++;
    expect(broken()).toEqual(['D1']);
  });

  it('D2: a mapping in another direction', () => {
    const { iommu } = machine.coordinator.gpus[1];
    iommu.iommu.words[iovaOf(IN_RAM)] = iommuWord(machine.pfn(IN_RAM), DmaDir.ToDevice);
    expect(broken()).toEqual(['I4', 'D2']);
  });

  it('D2: a mapping that has gone', () => {
    machine.coordinator.gpus[1].iommu.iommu.words[iovaOf(IN_RAM)] = 0;
    expect(broken()).toEqual(['I4', 'D2', 'D6']);
  });

  it('D1: device memory that was mapped and that nobody holds', () => {
    const gpu = machine.coordinator.gpus[1];
    gpu.ledger.map(dmaAddr(DmaProto.Peer, machine.pfn(IN_VRAM), DmaDir.Bidirectional));
    expect(broken()).toEqual(['D1']);
  });

  it('D2: device memory that was unmapped in another direction than mapped', () => {
    const { ledger } = machine.coordinator.gpus[1];
    ledger.map(dmaAddr(DmaProto.Peer, machine.pfn(IN_VRAM), DmaDir.Bidirectional));
    ledger.unmap(dmaAddr(DmaProto.Peer, machine.pfn(IN_VRAM), DmaDir.ToDevice));
    expect(broken()).toEqual(['D2']);
  });

  it('D2: RAM that was unmapped in another direction than mapped', () => {
    const gpu = machine.coordinator.gpus[1];
    const addr = gpu.dmaMapPage(machine.pfn(CPU_ONLY), DmaDir.ToDevice);
    assert(addr > 0, 'no I/O page');
    gpu.dmaUnmapPage(
      dmaAddr(DmaProto.System, dmaPage(dmaAddrAt(new Uint32Array([addr]), 0)), DmaDir.FromDevice),
    );
    const results = machine.verify();
    expect(failed(results)).toEqual(['D2']);
    expect(rule(results, 'D2').detail).toContain('was mapped in direction 1 and unmapped in 2');
  });

  it('D4: a reservation that nobody gives back', () => {
    machine.coordinator.gpus[0].dmaIovaTryAlloc(new DmaIovaState(), 16);
    expect(broken()).toEqual(['D4']);
  });

  it('D3: a mapping of a range that the CPU has unmapped', () => {
    const { range } = partAt(IN_VRAM, 0);
    range.unmapped = true;
    for (const { pages } of range.parts) pages.markUnmapped();
    expect(broken()).toEqual(['D3']);
  });

  it('R2: a pagemap that is destroyed while its pages are in use', () => {
    const { dpagemap } = machine.coordinator.gpus[0];
    assert(dpagemap !== null, 'no pagemap');
    dpagemap.destroyed = true;
    expect(broken()).toEqual(['R2 pagemaps']);
  });

  it('R3: a device that its pagemap does not keep', () => {
    machine.coordinator.gpus[0].life.put();
    const results = machine.verify();
    expect(failed(results)).toEqual(['R3']);
    expect(rule(results, 'R3').detail).toContain('gpu0 has 1 references, its module 2, but 2 are held');
  });

  it('R3: a module that nobody lets go of', () => {
    machine.coordinator.gpus[1].life.moduleGet();
    expect(broken()).toEqual(['R3']);
  });

  it('D7: pages in memory that earlier work may still write to', () => {
    const [devmem] = machine.coordinator.gpus[0].allocations;
    devmem.preMigrateFence = new DmaFence(machine.coordinator.kernel.sched, 'work');
    expect(broken()).toEqual(['D7']);
  });

  it('D5: a reference to a pagemap too many', () => {
    machine.coordinator.gpus[1].dpagemap?.get();
    expect(broken()).toEqual(['D5']);
  });

  it('D5: a reference to a pagemap that has no driver any more', () => {
    const { gpus, vram } = machine.coordinator;
    vram.pagemaps.unhold.hold(gpus[1]);
    expect(broken()).toContain('D5');
  });

  it('D5: device pages without their pagemap', () => {
    partAt(IN_VRAM, 0).part.pages.dpagemap = null;
    const results = machine.verify();
    expect(failed(results)).toEqual(['D5']);
    expect(rule(results, 'D5').detail).toContain('gpu0 maps device pages without their pagemap');
  });

  it('D6: a mapping of another page', () => {
    const { iommu } = machine.coordinator.gpus[1].iommu;
    iommu.words[iovaOf(IN_RAM)] = iommuWord(machine.pfn(CPU_ONLY), DmaDir.Bidirectional);
    expect(broken()).toEqual(['I4', 'D6']);
  });

  it('D6: own memory as if it were that of a peer', () => {
    addresses(IN_VRAM, 0)[0] = dmaAddr(DmaProto.Peer, machine.pfn(IN_VRAM), DmaDir.Bidirectional);
    expect(broken()).toEqual(['D1', 'D6']);
  });

  it('D6: an access that the IOMMU refused', () => {
    const devices = machine.snapshots();
    const fault = { device: 1, page: IN_RAM, iova: 3, write: true };
    devices[1] = { ...devices[1], iommuFaults: [fault] };
    const results = machine.verify({ devices });
    expect(failed(results)).toEqual(['D6']);
    expect(rule(results, 'D6').detail).toContain('gpu1 stored to');
  });
});

describe('structure', () => {
  /** With a part for one device. */
  function newRange(notifier: GpuSvmNotifier, start: number, end: number): DriverRange {
    const { gpus, kernel, vms } = machine.coordinator;
    const range = new DriverRange(notifier, vpn(start), vpn(end), true, kernel.sched, vms[0].membership);
    range.install(range.prepare([gpus[0]]));
    return range;
  }

  function insertRange(start: number, end: number): void {
    const { notifier } = partAt(IN_VRAM, 0).range;
    notifier.insertRange(newRange(notifier, start, end));
  }

  it('S1: a range whose size is no chunk size', () => {
    insertRange(BUFFER + 48, BUFFER + 48 + 2);
    expect(broken()).toEqual(['S1']);
  });

  it('S1: a range that is not aligned', () => {
    insertRange(BUFFER + 49, BUFFER + 53);
    expect(broken()).toEqual(['S1']);
  });

  it('S1: overlapping ranges, one of which a look-up misses', () => {
    insertRange(BUFFER + 4, BUFFER + 8);
    expect(broken()).toEqual(['I4', 'S1', 'S5']);
  });

  it('S2: a range that leaves its notifier', () => {
    insertRange(BUFFER + 512, BUFFER + 516);
    const results = machine.verify();
    expect(failed(results)).toEqual(['S2', 'S5']);
    expect(rule(results, 'S2').detail).toContain('the range leaves its notifier');
  });

  it('S2: a range of a notifier that is not there', () => {
    const { gpusvm } = machine.coordinator.vms[0];
    const other = new GpuSvmNotifier(gpusvm, vpn(BUFFER + 512), vpn(BUFFER + 1024));
    other.insertRange(newRange(other, BUFFER + 512, BUFFER + 528));
    expect(rule(machine.verify(), 'S2').detail).toContain(
      'the range belongs to a notifier that is not there',
    );
  });

  it('S2: a notifier outside the window', () => {
    const { gpusvm } = machine.coordinator.vms[0];
    const notifier = new GpuSvmNotifier(gpusvm, vpn(2 ** 35), vpn(2 ** 35 + 512));
    gpusvm.notifiers.insert(notifier.start, notifier.end, notifier);
    expect(rule(machine.verify(), 'S2').detail).toContain('a notifier outside the managed window');
  });

  it('S2 and S3: a notifier of a wrong size and without ranges', () => {
    const { gpusvm } = machine.coordinator.vms[0];
    const notifier = new GpuSvmNotifier(gpusvm, vpn(1024), vpn(1030));
    gpusvm.notifiers.insert(1024, 1030, notifier);
    expect(broken()).toEqual(['I1', 'S2', 'S3']);
  });

  it('S4: a range that was unmapped, of which its devices do not know', () => {
    partAt(IN_VRAM, 0).range.unmapped = true;
    expect(broken()).toEqual(['S4']);
  });

  it('S4: device pages without a DMA mapping', () => {
    const { pages } = partAt(IN_VRAM, 0).part;
    pages.flags = PagesFlag.HasDevmemPages;
    expect(rule(machine.verify(), 'S4').detail).toContain('gpu0 has device pages, but no DMA mapping');
  });

  it('S7: a range that lacks the part of a device, or has one too many', () => {
    const { range } = partAt(IN_VRAM, 0);
    const { gpus } = machine.coordinator;
    range.install([...range.prepare(gpus), ...range.prepare([gpus[0]])]);
    expect(broken()).toContain('S7');
  });

  it('S7 takes a range without parts, as a prefetch to RAM makes it where no device has faulted', () => {
    Object.defineProperty(partAt(IN_VRAM, 0).range, 'parts', { value: [] });
    expect(broken()).not.toContain('S7');
    expect(broken()).not.toEqual([]);
  });

  it('S7: a device that has left, but holds pages of the process', () => {
    const [vm] = machine.coordinator.vms;
    const [, gpu] = vm.gpus;
    Object.defineProperty(vm.membership, 'members', { value: vm.gpus.filter((one) => one !== gpu) });
    const results = machine.verify();
    expect(failed(results)).toContain('S7');
    expect(rule(results, 'S7').detail).toContain('but other GPU address spaces');
  });

  it('S6: addresses that do not cover the range', () => {
    addresses(IN_VRAM, 0)[5] = 0;
    expect(broken()).toEqual(['D1', 'S6']);
  });
});

describe('lifetimes and rest', () => {
  /** A task takes the lock and sleeps for ever. */
  function hold(take: () => Steps<void>): void {
    const forever = new WaitQueue(machine.sched, 'nothing');
    const holder = function* (): Steps<void> {
      yield* take();
      yield* forever.wait();
    };
    machine.sched.spawn(actorId(0), 'holder', holder(), true);
    machine.settle();
  }

  it('R1: a user of the address space who did not leave', () => {
    machine.coordinator.mm.users++;
    expect(broken()).toEqual(['R1']);
  });

  it('R1: a reference to the address space too many', () => {
    machine.coordinator.mm.grab();
    expect(broken()).toEqual(['R1']);
  });

  it('R2: a reference to a range too many', () => {
    partAt(IN_VRAM, 0).range.refs++;
    expect(broken()).toEqual(['R2']);
  });

  it('R2: a range that nobody holds any more', () => {
    partAt(IN_VRAM, 0).range.refs = 0;
    expect(rule(machine.verify(), 'R2').detail).toContain('the range has 0 references, but 1 holders');
  });

  it('R2: what is left of a mirror that has ended', () => {
    const [vm] = machine.coordinator.vms;
    vm.ended.completeAll();
    Reflect.set(vm.collector, 'queue', new Set([partAt(IN_VRAM, 0).range]));
    const { detail } = rule(machine.verify(), 'R2');
    expect(detail).toContain('svm has ended, but has notifiers');
    expect(detail).toContain('svm has ended, but its garbage waits for a worker');
  });

  it('swap: a slot may be named in any address space', () => {
    const { kernel } = machine.coordinator;
    const { area } = kernel.swapCache;
    const slot = area.alloc(kernel.zeroPage);
    area.duplicate(slot);
    area.setFolio(slot, NO_PFN);
    const other = new Mm(kernel, 77);
    other.pageTable.write(other.pageTable.ensure(BUFFER), makeSwapPte(slot, 0));
    expect(broken()).not.toContain('swap');
    area.duplicate(slot);
    expect(broken()).toContain('swap');
  });

  it('M2: a pin is a holder as good as any', () => {
    const { pins, folios } = machine.coordinator.kernel;
    pins.pin(machine.pfn(CPU_ONLY));
    expect(broken()).toEqual([]);
    folios.get(machine.pfn(CPU_ONLY));
    expect(broken()).toEqual(['M2']);
  });

  it('M1: looks at swapped pages where they are', () => {
    machine.run(machine.coordinator.calls.reclaim.shrinkMm(machine.coordinator.mm));
    expect(machine.coordinator.kernel.swapCache.area.usedSlots).toBeGreaterThan(0);
    expect(broken()).toEqual([]);
    machine.stored.set(CPU_ONLY, 12345);
    expect(rule(machine.verify(), 'M1').detail).toContain('in swap');
  });

  it('swap: a slot that no entry names', () => {
    const { area } = machine.coordinator.kernel.swapCache;
    const slot = area.alloc(machine.coordinator.kernel.zeroPage);
    area.duplicate(slot);
    area.setFolio(slot, NO_PFN);
    expect(broken()).toEqual(['swap']);
    expect(rule(machine.verify(), 'swap').detail).toContain('counted 1 times, but 0 entries name it');
  });

  it('zones: VRAM that the driver does not know of', () => {
    machine.devices[1].gpu.vram.alloc(4, new Uint32Array(4));
    expect(broken()).toEqual(['zones']);
  });

  it('zones: a count of free pages that the allocator cannot prove', () => {
    const buddy: unknown = Reflect.get(machine.coordinator.kernel.ram, 'buddy');
    assert(typeof buddy === 'object' && buddy !== null, 'no allocator');
    Reflect.set(buddy, 'free_', machine.coordinator.kernel.ram.freePages + 1);
    expect(rule(machine.verify(), 'zones').detail).toContain('pages are free one by one');
  });

  it('zones: more VRAM in use than the driver has allocated', () => {
    const devices = machine.snapshots();
    const { vram } = devices[1];
    const { usedPages, freePages } = vram;
    devices[1] = { ...devices[1], vram: { ...vram, usedPages: usedPages + 1, freePages: freePages - 1 } };
    const results = machine.verify({ devices });
    expect(failed(results)).toEqual(['zones']);
    expect(rule(results, 'zones').detail).toContain(
      "vram1: 1 pages are in use, but the driver's allocations have 0",
    );
  });

  it('zones: pages lost by the device', () => {
    const devices = machine.snapshots();
    const { vram } = devices[1];
    devices[1] = { ...devices[1], vram: { ...vram, freePages: vram.freePages - 1 } };
    expect(failed(machine.verify({ devices }))).toEqual(['zones']);
  });

  it('arrays: one that was not given back', () => {
    machine.run(machine.coordinator.arrays.borrow());
    expect(broken()).toEqual(['arrays']);
  });

  it('locks: one that a task keeps', () => {
    const { mmapLock } = machine.coordinator.mm;
    hold(() => mmapLock.read());
    const results = machine.verify();
    expect(failed(results)).toEqual(['locks']);
    const { detail } = rule(results, 'locks');
    expect(detail).toContain('mmap_lock of mm 1 is held');
    expect(detail).toContain('(holder) holds mmap_lock of mm 1');
  });

  it('locks: that of one device on a range', () => {
    const { lock } = partAt(IN_VRAM, 0).part;
    hold(() => lock.lock());
    expect(rule(machine.verify(), 'locks').detail).toContain('the range lock of gpu0 is held');
  });

  it('idle: a fault that is not answered, and a copy that is not done', () => {
    const [first, second] = machine.snapshots();
    const devices = [
      { ...first, faultsInFlight: 1 },
      { ...second, copiesInFlight: 2 },
    ];
    const { detail } = rule(machine.verify({ devices }), 'idle');
    expect(detail).toContain('gpu0 has 1 faults under way');
    expect(detail).toContain('gpu1 has 2 copies under way');
  });
});

describe('a violation', () => {
  it('names the page, the frame, and the last events on it with their actors', () => {
    const frame = machine.pfn(IN_VRAM);
    machine.folioField('maps')[frame]++;
    const { detail } = rule(machine.verify(), 'M3');
    expect(detail).toContain(
      `page ${formatVpn(IN_VRAM)}, pfn ${formatPfn(frame)}: map count 2, but 1 entries map it`,
    );
    expect(detail).toMatch(/last events on it:\n(.*\n)*.*gpu1 .*device\.bind device=gpu1 address=0x/);
  });

  it('tells three and counts the rest', () => {
    const refs = machine.folioField('refs');
    for (let i = 0; i < 16; i++) refs[machine.pfn(vpn(IN_RAM + i))]++;
    const { detail } = rule(machine.verify(), 'M2');
    expect(detail.match(/reference count 2/g)).toHaveLength(3);
    expect(detail).toContain('and 13 more');
  });

  it('says so when nothing was recorded of its page', () => {
    machine.folioField('refs')[machine.freePfn(0)]++;
    const { detail } = rule(machine.verify({ lastEvents: () => [] }), 'M2');
    expect(detail).toContain('none recorded');
  });

  it('leaves them out where the run records none at all', () => {
    machine.folioField('refs')[machine.freePfn(0)]++;
    const { detail } = rule(machine.verify({ lastEvents: () => null }), 'M2');
    expect(detail).not.toContain('last events');
  });
});

describe('after the end', () => {
  const tornDown = [
    'torn-down memory',
    'torn-down DMA',
    'torn-down mirrors',
    'hugetlb',
    'arrays',
    'locks',
    'idle',
  ];

  it('nothing is left', () => {
    const results = machine.tearDown();
    expect(results.map(({ name }) => name)).toEqual(tornDown);
    expect(failed(results)).toEqual([]);
  });

  it('sees RAM that was not freed', () => {
    machine.coordinator.kernel.allocPage();
    expect(failed(machine.tearDown())).toEqual(['torn-down memory']);
  });

  it('sees RAM that was taken from the allocator and never used', () => {
    machine.coordinator.kernel.ram.allocPage();
    const { detail } = rule(machine.tearDown(), 'torn-down memory');
    expect(detail).toContain('ram: 2 pages are in use, not just the zero page');
  });

  it('sees VRAM that was not freed', () => {
    machine.devices[1].gpu.vram.alloc(4, new Uint32Array(4));
    expect(failed(machine.tearDown())).toEqual(['torn-down memory']);
  });

  it('sees a device page with a reference', () => {
    machine.tearDown();
    machine.folioField('refs')[pfn(machine.layout.vramOf(0).firstPfn)] = 1;
    const results = machine.tornDown();
    expect(failed(results)).toEqual(['torn-down memory']);
    expect(rule(results, 'torn-down memory').detail).toContain('still in use: folio');
  });

  it('sees a DMA mapping that was not ended', () => {
    machine.coordinator.gpus[1].iommu.map(machine.pfn(CPU_ONLY), DmaDir.Bidirectional);
    const results = machine.tearDown();
    expect(failed(results)).toEqual(['torn-down DMA']);
    expect(rule(results, 'torn-down DMA').detail).toContain(
      'gpu1: 1 I/O pages are still mapped\ngpu1: maps less',
    );
  });

  it('sees a ledger that does not balance', () => {
    machine.tearDown();
    machine.coordinator.gpus[1].iommu.mapsTotal++;
    const { detail } = rule(machine.tornDown(), 'torn-down DMA');
    expect(detail).toContain('gpu1: maps less unmaps is 1');
    expect(detail).not.toContain('still mapped');
  });

  it('sees a reference to the address space, which keeps its page table', () => {
    machine.coordinator.mm.grab();
    expect(failed(machine.tearDown())).toEqual(['torn-down memory', 'torn-down mirrors']);
  });

  /** What is said of the mirrors after a proper end and one corruption. */
  function mirrorsAfter(corrupt: () => void): string {
    machine.tearDown();
    corrupt();
    const results = machine.tornDown();
    expect(failed(results)).toEqual(['torn-down mirrors']);
    return rule(results, 'torn-down mirrors').detail;
  }

  it('sees zone device data that is left, and the pagemap that it holds', () => {
    const { dpagemap } = machine.coordinator.gpus[0];
    assert(dpagemap !== null, 'no pagemap');
    const detail = mirrorsAfter(() => machine.coordinator.zdds.create(dpagemap));
    expect(detail).toContain('1 zone device data are left');
    expect(detail).toContain('the pagemap of gpu0 has 2 references');
  });

  it('sees a process that is left, though the first one has gone', () => {
    const { kernel } = machine.coordinator;
    machine.tearDown();
    new Mm(kernel, 9);
    expect(rule(machine.tornDown(), 'torn-down mirrors').detail).toContain('mm 9 has 1 users and count 1');
  });

  it('sees a pagemap that somebody holds, and no driver', () => {
    const { gpus, vram } = machine.coordinator;
    const detail = mirrorsAfter(() => vram.pagemaps.unhold.hold(gpus[0]));
    expect(detail).toContain('3 pagemaps are held, by drivers of 2 devices');
  });

  it('sees an area that is left', () => {
    const { vmas } = machine.coordinator.mm;
    expect(mirrorsAfter(() => vmas.insert(new Vma(vpn(16), vpn(17), 0, 16)))).toContain('has 1 areas');
  });

  it('sees a notifier that is left', () => {
    const { gpusvm } = machine.coordinator.vms[0];
    const notifier = new GpuSvmNotifier(gpusvm, vpn(0), vpn(512));
    expect(mirrorsAfter(() => gpusvm.notifiers.insert(0, 512, notifier))).toContain(
      'svm has ended, but has notifiers',
    );
  });

  it('sees an allocation that the driver still lists', () => {
    const { allocations } = machine.coordinator.gpus[0];
    const [devmem] = allocations;
    expect(mirrorsAfter(() => allocations.add(devmem))).toContain('gpu0: 1 allocations are left');
  });

  it('sees an interval that nobody removed', () => {
    const { mm, vms } = machine.coordinator;
    const stray = new GpuSvmNotifier(vms[0].gpusvm, vpn(10), vpn(20)).interval;
    machine.run(mm.notifiers.insert(stray));
    expect(rule(machine.tearDown(), 'torn-down mirrors').detail).toContain('mm 1 has 1 intervals registered');
  });

  it('sees entries that a device kept', () => {
    machine.tearDown();
    const { pageTable, tlb } = machine.devices[1].gpu;
    const entry = Uint32Array.of(dmaAddr(DmaProto.Vram, 600, DmaDir.Bidirectional));
    pageTable.bind(vpn(99), 1, entry, false);
    tlb.fill(vpn(99), pageTable.read(vpn(99)));
    const { detail } = rule(machine.tornDown(), 'torn-down memory');
    expect(detail).toContain('gpu1: 1 page-table entries are left');
    expect(detail).toContain('gpu1: 1 TLB entries are left');
  });

  it('checks what the host knows when the devices cannot be asked', () => {
    machine.tearDown();
    expect(failed(machine.tornDown([]))).toEqual([]);
    expect(rule(machine.tornDown([]), 'torn-down memory').detail).toContain('0 devices');
  });
});
