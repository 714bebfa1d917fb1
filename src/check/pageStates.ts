/** What every page of every process is, in words, and how that changes: for those who read a run step by step. */

import type { Machine } from '../actors/machine.js';
import { formatVpn, type Vpn } from '../base/units.js';
import { formatGpuPte, gpuPteAt } from '../device/gpuPte.js';
import { pageInSpace, spaceOf } from '../device/gpuSpace.js';
import { PagesFlag } from '../drm/gpusvm/pages.js';
import { formatPfn, type Pfn } from '../memory/pfn.js';
import {
  formatPte,
  type Pte,
  PteKind,
  pteHoldsFolio,
  pteIsMapping,
  pteKind,
  ptePfn,
} from '../mm/table/pte.js';
import { type DmaHolder, MachineView } from './machineView.js';

/** Changes of one step that are told; a huge page changes in hundreds of places at once. */
const TOLD_MAX = 8;

const SEPARATOR = ' | ';

/** One page, and what it is for the CPU, for the DMA and in the tables of each device; no part where it is gone everywhere. */
export interface PageState {
  /** `mm 1 0x7f0000000000` */
  readonly page: string;
  readonly parts: readonly string[];
}

/** The parts of one page's state, in the order in which they were found. */
type States = Map<string, string[]>;

/** It looks while the machine is between two steps, so what it sees may be half done. */
export class PageStates {
  private before: ReadonlyMap<string, string> = new Map();

  constructor(private readonly machine: Machine) {}

  /** Each page that is no longer as it was at the last call. */
  changed(): PageState[] {
    const now = this.now();
    const changed: PageState[] = [];
    for (const [page, text] of now) {
      if (this.before.get(page) !== text) changed.push({ page, parts: text.split(SEPARATOR) });
    }
    for (const page of this.before.keys()) if (!now.has(page)) changed.push({ page, parts: [] });
    this.before = now;
    return changed;
  }

  /** The same as lines, the first ones where there are many. */
  changes(): string[] {
    const lines = this.changed().map(
      ({ page, parts }) => `${page}: ${parts.length === 0 ? 'gone everywhere' : parts.join(SEPARATOR)}`,
    );
    const more = lines.length - TOLD_MAX;
    return more <= 1 ? lines : [...lines.slice(0, TOLD_MAX), `and ${more} pages more`];
  }

  private now(): Map<string, string> {
    const { coordinator, devices } = this.machine;
    const view = new MachineView(
      coordinator,
      devices.map(({ gpu }) => gpu.snapshot()),
    );
    const states: States = new Map();
    view.entries.forEach((mm, page, pte) => {
      add(states, mm.id, page, cpuText(view, pte));
    });
    for (const holder of view.holders) addAddresses(view, states, holder);
    addDeviceEntries(view, states);
    return new Map([...states].map(([page, parts]) => [page, parts.join(SEPARATOR)]));
  }
}

function add(states: States, mm: number, page: Vpn, part: string): void {
  const key = `mm ${mm} ${formatVpn(page)}`;
  const parts = states.get(key);
  if (parts === undefined) states.set(key, [part]);
  else parts.push(part);
}

function cpuText(view: MachineView, pte: Pte): string {
  const hasFolio = (pteHoldsFolio(pte) && pteIsMapping(pte)) || pteKind(pte) === PteKind.Migration;
  return hasFolio ? `cpu ${formatPte(pte)}${folioText(view, ptePfn(pte))}` : `cpu ${formatPte(pte)}`;
}

function folioText({ folios, layout }: MachineView, pfn: Pfn): string {
  const { deviceIndex, id } = layout.zoneOf(pfn);
  const where = id === 0 ? 'ram' : `vram of gpu${deviceIndex}`;
  const locked = folios.isLocked(pfn) ? `, locked by #${folios.lockOwner(pfn)}` : '';
  return ` (${where}, refs ${folios.refcount(pfn)}, maps ${folios.mapcount(pfn)}${locked})`;
}

/** Where the device's pages lead, and whether they may be used. */
function addAddresses(view: MachineView, states: States, holder: DmaHolder): void {
  const { gpu, mm, pages } = holder;
  const flags = [
    pages.has(PagesFlag.HasDmaMapping) ? '' : ' without mapping',
    pages.has(PagesFlag.Unmapped) ? ' unmapped' : '',
  ];
  view.forEachDmaPage(holder, ({ page, addr, index }) => {
    const pfn = view.resolveDmaAddr(gpu.index, addr, index);
    add(states, mm.id, page, `gpu${gpu.index} dma ${pfn < 0 ? 'nowhere' : formatPfn(pfn)}${flags.join('')}`);
  });
}

function addDeviceEntries(view: MachineView, states: States): void {
  for (const { device, ptePages, ptes, tlbPages, tlbPtes } of view.devices) {
    const mmOf = (page: Vpn): number =>
      view.coordinator.mirrors.find(view.gpus[device], spaceOf(page))?.mm.id ?? 0;
    for (let i = 0; i < ptePages.length; i++) {
      const page = ptePages[i] as Vpn;
      add(states, mmOf(page), pageInSpace(page), `gpu${device} entry ${formatGpuPte(gpuPteAt(ptes, i))}`);
    }
    for (let i = 0; i < tlbPages.length; i++) {
      const page = tlbPages[i] as Vpn;
      add(states, mmOf(page), pageInSpace(page), `gpu${device} tlb ${formatGpuPte(gpuPteAt(tlbPtes, i))}`);
    }
  }
}
