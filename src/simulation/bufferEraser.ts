/**
 * Makes the shared memory of a machine as new, so that the next machine can be built in it: what was used of it, no more. The engine frees shared
 * memory late, so that runs in a row, each with its own, would pile it up.
 */

import { PAGE_BYTES } from '../base/units.js';
import type { CallPayload } from '../memory/callPayload.js';
import { TABLE_ENTRIES } from '../memory/radixTable.js';
import { openPayloads, type SharedBuffers } from './sharedBuffers.js';
import type { SimulationConfig } from './simulationConfig.js';
import type { VirtualMachine } from './virtualMachine.js';

const TABLE_BYTES = TABLE_ENTRIES * 4;
const DOUBLE_BYTES = Float64Array.BYTES_PER_ELEMENT;

/** Of all views that of doubles is filled fastest; kept, since making one takes as long as filling a page. */
export class BufferEraser {
  private readonly memory: Float64Array;
  private readonly cpuTables: Float64Array;
  private readonly gpuTables: readonly Float64Array[];
  private readonly whole: readonly (Float64Array | Uint8Array)[];
  private readonly payloads: readonly CallPayload[];

  constructor(config: SimulationConfig, buffers: SharedBuffers) {
    const { memory, folios, cpuTables, gpuTables, iommus, arrays, brackets, rings, board } = buffers;
    this.memory = new Float64Array(memory);
    this.cpuTables = new Float64Array(cpuTables);
    this.gpuTables = gpuTables.map((buffer) => new Float64Array(buffer));
    this.whole = [folios, ...iommus, arrays, brackets, rings, board].map((buffer) =>
      buffer.byteLength % DOUBLE_BYTES === 0 ? new Float64Array(buffer) : new Uint8Array(buffer),
    );
    this.payloads = openPayloads(config, buffers);
  }

  /** Frames and page tables. The machine has ended, and nobody uses it any more. */
  eraseUsed({ coordinator, devices }: VirtualMachine): void {
    const { kernel, mirror } = coordinator.coordinator;
    const { ram } = kernel.memory.layout;
    this.eraseFrames(0, devices.length);
    this.eraseFrames(ram.firstPfn, kernel.ram.touchedEnd);
    this.eraseTables(this.cpuTables, kernel.tables.touchedEnd);
    devices.forEach(({ actor: { gpu } }, i) => {
      this.eraseFrames(gpu.vram.zone.firstPfn, gpu.vram.touchedEnd);
      this.eraseTables(this.gpuTables[i], gpu.pageTable.touchedEnd);
    });
    for (const { zone, memory } of mirror?.devices ?? []) this.eraseFrames(zone.firstPfn, memory.touchedEnd);
  }

  /** Whether frames and page tables are zero. */
  get isErased(): boolean {
    return [this.memory, this.cpuTables, ...this.gpuTables].every((view) => view.every((word) => word === 0));
  }

  /** Everything else, but for counters, which each machine begins anew, and what payloads held, which nobody reads before it is written. */
  eraseRest(): void {
    for (const view of this.whole) view.fill(0);
    for (const payload of this.payloads) payload.clear();
  }

  private eraseFrames(first: number, end: number): void {
    if (end > first)
      this.memory.fill(0, (first * PAGE_BYTES) / DOUBLE_BYTES, (end * PAGE_BYTES) / DOUBLE_BYTES);
  }

  private eraseTables(view: Float64Array, end: number): void {
    view.fill(0, 0, (end * TABLE_BYTES) / DOUBLE_BYTES);
  }
}
