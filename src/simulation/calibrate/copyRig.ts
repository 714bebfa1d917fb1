/** Memory and the copy engines of several devices on one fabric, with nothing else: what a benchmark of plain copies sees of a machine. */

import { setImmediate } from 'node:timers/promises';
import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { PAGE_BYTES } from '../../base/units.js';
import { CopyEngine } from '../../device/copyEngine.js';
import { Fabric, FabricLinks } from '../../device/fabric/fabric.js';
import { MachineFabric } from '../../device/fabric/machineFabric.js';
import { Iommu } from '../../device/iommu.js';
import { IommuMapper } from '../../device/iommuMapper.js';
import { DmaDir, DmaProto, dmaAddr } from '../../memory/dmaAddr.js';
import { pfn } from '../../memory/pfn.js';
import { PhysicalLayout } from '../../memory/physicalLayout.js';
import { PhysicalMemory } from '../../memory/physicalMemory.js';
import { type Zone, ZoneKind } from '../../memory/zone.js';
import type { Steps } from '../../sim/steps.js';
import { actorId } from '../../sim/task.js';
import { RandomStrategy } from '../../sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../sim/virtual/virtualExecutor.js';
import type { CostConfig } from '../simulationConfig.js';
import type { CopyExperiment, Move } from './experiment.js';

/** Pages to read from in each memory, and as many to write to. */
const WINDOW_PAGES = (4 * 2 ** 20) / PAGE_BYTES;
/** Between two looks at the signal: a step may copy a whole engine's batch. */
const STEPS_AT_ONCE = 64;
/** Of links on one device: three of its own, and two for each peer. */
const linksOf = (devices: number): number => 3 + 2 * devices;

/** The end of each move in simulated nanoseconds; all begin at 0. Rejects with the signal's reason where that has cut it off. */
export function timesOfCopies(
  cost: CostConfig,
  seed: number,
  enginesPerDevice: number,
  { moves, countsSetup }: CopyExperiment,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const rig = new CopyRig(cost, seed, enginesPerDevice, moves, countsSetup);
  return rig.run(signal);
}

class CopyRig {
  private readonly sched: VirtualExecutor;
  private readonly memory: PhysicalMemory;
  private readonly mappers: readonly IommuMapper[];
  private readonly engines: readonly CopyEngine[];
  private readonly windowPages: number;

  constructor(
    cost: CostConfig,
    seed: number,
    engines: number,
    private readonly moves: readonly Move[],
    countsSetup: boolean,
  ) {
    const strategy = new RandomStrategy(seed);
    strategy.newExecution();
    this.sched = new VirtualExecutor(strategy);
    const devices = 1 + Math.max(...moves.flatMap(({ from, to }) => [numberOf(from), numberOf(to)]));
    // What the bytes are does not matter, so a large copy goes over the same pages again.
    this.windowPages = Math.min(WINDOW_PAGES, Math.max(...moves.map(({ bytes }) => bytes / PAGE_BYTES)));
    const pages = 2 * this.windowPages;
    const vram = Array.from({ length: devices }, () => ({ pages, kind: ZoneKind.DevicePrivate }));
    this.memory = PhysicalMemory.allocate(new PhysicalLayout({ ramPages: pages, vram }));
    const fabric = new MachineFabric(cost, devices);
    const links = new Fabric(this.sched, fabric.topology.capacities);
    const { totalPages } = this.memory.layout;
    this.mappers = vram.map(
      (_, i) => new IommuMapper(Iommu.allocate(2 * pages * moves.length, totalPages), i),
    );
    this.engines = vram.map((_, device) => {
      const setupNs = countsSetup ? cost.copySetupNs : 0;
      const interconnect = new FabricLinks(this.sched, links, fabric, device);
      const config = { device, engines, setupNs, links: linksOf(devices) };
      return new CopyEngine(config, this.sched, this.memory, this.mappers[device].iommu, interconnect);
    });
  }

  async run(signal: AbortSignal | undefined): Promise<number[]> {
    const ends = this.moves.map(() => -1);
    this.moves.forEach((move, i) => {
      const device = numberOf(move.from) >= 0 ? numberOf(move.from) : numberOf(move.to);
      this.sched.spawn(actorId(1 + device), `move ${i}`, this.make(move, device, i, ends));
    });
    while (this.sched.run(() => false, STEPS_AT_ONCE) === 'out-of-steps') {
      await setImmediate();
      signal?.throwIfAborted();
    }
    assert(this.sched.failure === null && !ends.includes(-1), 'a copy of an experiment did not end');
    return ends;
  }

  private *make(move: Move, device: number, i: number, ends: number[]): Steps<void> {
    const npages = move.bytes / PAGE_BYTES;
    const src = this.addresses(move.from, device, 0, DmaDir.ToDevice);
    const dst = this.addresses(move.to, device, this.windowPages, DmaDir.FromDevice);
    const engine = this.engines[device];
    const errno = yield* engine.copy(repeated(src, npages), repeated(dst, npages), npages);
    assert(errno === Errno.OK, 'a copy of an experiment failed');
    ends[i] = this.sched.now();
  }

  /** Of a window, as the device that copies names them. */
  private addresses(place: Move['from'], device: number, first: number, dir: DmaDir): Uint32Array {
    const zone = this.zoneOf(place);
    return Uint32Array.from({ length: this.windowPages }, (_, i) => {
      const page = pfn(zone.firstPfn + first + i);
      if (place === 'ram') return dmaAddr(DmaProto.System, this.mappers[device].map(page, dir), dir);
      if (place === device) return dmaAddr(DmaProto.Vram, page, DmaDir.Bidirectional);
      this.mappers[device].iommu.peers.map(page, 1, dir);
      return dmaAddr(DmaProto.Peer, page, dir);
    });
  }

  private zoneOf(place: Move['from']): Zone {
    const { layout } = this.memory;
    return place === 'ram' ? layout.ram : layout.vramOf(place);
  }
}

function numberOf(place: Move['from']): number {
  return place === 'ram' ? -1 : place;
}

function repeated(window: Uint32Array, npages: number): Uint32Array {
  return Uint32Array.from({ length: npages }, (_, i) => window[i % window.length]);
}
