/** How much memory of this machine a run takes, and whether the machine has it. */

import { constants } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { freemem, platform, totalmem } from 'node:os';
import { PAGE_BYTES, PMD_PAGES } from '../base/units.js';
import { UserError } from '../base/userError.js';
import { FOLIO_BYTES } from '../memory/folioFields.js';
import { PhysicalLayout } from '../memory/physicalLayout.js';
import { ZoneKind } from '../memory/zone.js';
import { traceRingBytes } from '../simulation/sharedBuffers.js';
import type { SimulationConfig } from '../simulation/simulationConfig.js';
import { formatRoundedSize } from './quantities.js';

export interface MemoryPart {
  readonly name: string;
  readonly bytes: number;
}

export interface MemoryNeed {
  readonly bytes: number;
  /** Largest first. */
  readonly parts: readonly MemoryPart[];
}

/** What a machine can give. */
export interface Machine {
  /** Without pushing anything else out. */
  readonly availableBytes: number;
  /** Largest array over one buffer: 4 GiB up to Node 20, more later. */
  readonly bufferBytesMax: number;
}

/** Free lists of the allocators. */
const ALLOCATOR_BYTES_PER_PAGE = 9;
const TABLE_BYTES = 2048;
/** Upper levels, and leaf tables that sparse mappings use only in part. */
const SPARSE_TABLES = 1024;
/** Rings, page arrays and TLB words of one actor. */
const ACTOR_BYTES = 2 ** 20;
/** Measured with Node 20: 8.2 MiB for an empty worker; the rest is the program's code and objects. */
const WORKER_BYTES = 12 * 2 ** 20;
/** An event of a recorded program as objects, once in every worker that replays it. */
const TRACE_EVENT_BYTES = 512;

/** An upper estimate: physical memory and metadata are exact, the rest is rounded up. */
export function memoryNeed(config: SimulationConfig): MemoryNeed {
  const layout = layoutOf(config);
  const actors = 1 + config.deviceCount + config.workloads.length;
  const workers = config.executor === 'threads' ? actors : 1;
  const parts = [
    { name: 'physical memory', bytes: layout.totalPages * PAGE_BYTES },
    { name: 'page metadata', bytes: layout.totalPages * (FOLIO_BYTES + ALLOCATOR_BYTES_PER_PAGE) },
    { name: 'page tables', bytes: (1 + config.deviceCount) * tableBytes(layout.totalPages) },
    { name: 'mailboxes', bytes: actors * ACTOR_BYTES },
    { name: 'workers', bytes: workers * WORKER_BYTES },
    { name: 'recorded programs', bytes: recordedBytes(config) },
    { name: 'trace', bytes: traceRingBytes(config) },
  ];
  return {
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    parts: parts.filter(({ bytes }) => bytes > 0).sort((a, b) => b.bytes - a.bytes),
  };
}

/** @throws UserError when the run needs more than the machine has; nothing is allocated before. */
export function checkMachine(config: SimulationConfig, machine: Machine = thisMachine()): void {
  const physicalBytes = layoutOf(config).totalPages * PAGE_BYTES;
  if (physicalBytes > machine.bufferBytesMax) {
    throw refusal(config, {
      found: `${formatRoundedSize(physicalBytes)} of RAM and VRAM`,
      allowed: `at most ${formatRoundedSize(machine.bufferBytesMax)}, the largest array of Node ${process.versions.node}`,
    });
  }
  const { bytes, parts } = memoryNeed(config);
  if (bytes <= machine.availableBytes) return;
  const list = parts.slice(0, 3).map((part) => `${part.name} ${formatRoundedSize(part.bytes)}`);
  throw refusal(config, {
    found: `a need of ${formatRoundedSize(bytes)} (${list.join(', ')})`,
    allowed: `at most ${formatRoundedSize(machine.availableBytes)}, what this machine has free`,
  });
}

/** The smaller of what the system has free and what a container's limit leaves. */
export function thisMachine(): Machine {
  const limit = process.constrainedMemory();
  const left = limit > 0 && limit < totalmem() ? limit - process.memoryUsage.rss() : Number.POSITIVE_INFINITY;
  return { availableBytes: Math.max(0, Math.min(freeBytes(), left)), bufferBytesMax: constants.MAX_LENGTH };
}

/** Only Linux says what could be freed at once; elsewhere free memory excludes caches, so half of all memory counts as free. */
function freeBytes(): number {
  if (platform() !== 'linux') return Math.max(freemem(), totalmem() / 2);
  try {
    const match = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
    return match === null ? freemem() : Number(match[1]) * 1024;
  } catch {
    return freemem();
  }
}

function refusal({ name }: SimulationConfig, mistake: { found: string; allowed: string }): UserError {
  return new UserError({
    where: `scenario ${name}`,
    ...mistake,
    hint: 'reduce ram, devices.vram or devices.count',
  });
}

function layoutOf({ ramPages, deviceCount, device }: SimulationConfig): PhysicalLayout {
  const vram = { pages: device.vramPages, kind: ZoneKind.DevicePrivate };
  return new PhysicalLayout({ ramPages, vram: Array.from({ length: deviceCount }, () => vram) });
}

function tableBytes(pages: number): number {
  return (Math.ceil(pages / PMD_PAGES) + SPARSE_TABLES) * TABLE_BYTES;
}

function recordedBytes({ workloads }: SimulationConfig): number {
  let events = 0;
  for (const workload of workloads) if (workload.kind === 'trace') events += workload.trace.events.length;
  return events * TRACE_EVENT_BYTES;
}
