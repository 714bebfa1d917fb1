/** How much memory a run needs, and when a machine cannot give it. */

import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { FolioTable } from '../../src/memory/folios.js';
import { PhysicalLayout } from '../../src/memory/physicalLayout.js';
import { ZoneKind } from '../../src/memory/zone.js';
import { loadScenario } from '../../src/scenario/loadScenario.js';
import { checkMachine, memoryNeed, thisMachine } from '../../src/scenario/memoryNeed.js';
import { allocateBuffers } from '../../src/simulation/sharedBuffers.js';
import { Scratch } from './scratch.js';

const scratch = new Scratch();
const MIB = 2 ** 20;
const GIB = 2 ** 30;

function load(yaml: string) {
  return loadScenario(scratch.write('s.yaml', yaml));
}

function part(yaml: string, name: string): number {
  return memoryNeed(load(yaml)).parts.find((one) => one.name === name)?.bytes ?? 0;
}

describe('memoryNeed', () => {
  it('is the sum of its parts, largest first', () => {
    const { bytes, parts } = memoryNeed(load('workloads: [{ kind: saxpy }]'));
    expect(parts.reduce((sum, one) => sum + one.bytes, 0)).toBe(bytes);
    expect(parts.map((one) => one.bytes)).toEqual(parts.map((one) => one.bytes).sort((a, b) => b - a));
    expect(parts[0]).toEqual({ name: 'physical memory', bytes: (2 + 256 + 4 * 64) * MIB });
  });

  it('covers the metadata that is allocated for the same layout', () => {
    const yaml = 'ram: 8MiB\ndevices: { count: 1, vram: 4MiB }';
    const layout = new PhysicalLayout({
      ramPages: 2048,
      vram: [{ pages: 1024, kind: ZoneKind.DevicePrivate }],
    });
    expect(part(yaml, 'page metadata')).toBeGreaterThanOrEqual(FolioTable.allocate(layout).buffer.byteLength);
  });

  it('counts a worker for the coordinator, each device and each CPU thread', () => {
    expect(part('devices: { count: 2 }\ninvalidation: { threads: 3 }', 'workers')).toBe(6 * 12 * MIB);
    expect(part('executor: virtual\ndevices: { count: 2 }', 'workers')).toBe(12 * MIB);
  });
});

describe('a run that is recorded', () => {
  it.each(['threads', 'virtual'])('needs its rings too under %s', (executor) => {
    const config = load(`executor: ${executor}\nram: 8MiB\ndevices: { count: 2, vram: 4MiB }`);
    const recorded = { ...config, trace: true };
    const { trace } = allocateBuffers(recorded);
    expect(trace.byteLength).toBeGreaterThan(8 * MIB);
    expect(memoryNeed(recorded).parts).toContainEqual({ name: 'trace', bytes: trace.byteLength });
    expect(memoryNeed(recorded).bytes - memoryNeed(config).bytes).toBe(trace.byteLength);
  });
});

describe('checkMachine', () => {
  const roomy = { availableBytes: 64 * GIB, bufferBytesMax: 64 * GIB };
  const config = load('name: big\nram: 3GiB\ndevices: { count: 2, vram: 1GiB }');
  const need = memoryNeed(config).bytes;

  it('lets a run pass that just fits', () => {
    expect(() => checkMachine(config, { ...roomy, availableBytes: need })).not.toThrow();
  });

  it('refuses one byte more, and says what takes it', () => {
    expect(scratch.mistakeOf(() => checkMachine(config, { ...roomy, availableBytes: 2 * GIB }))).toBe(
      'scenario big: found a need of 5.12GiB (physical memory 5GiB, page metadata 62.52MiB, workers 36MiB), allowed: at most 2GiB, what this machine has free (reduce ram, devices.vram or devices.count)',
    );
    expect(() => checkMachine(config, { ...roomy, availableBytes: need - 1 })).toThrow(UserError);
  });

  it('refuses more physical memory than one array can hold', () => {
    expect(scratch.mistakeOf(() => checkMachine(config, { ...roomy, bufferBytesMax: 4 * GIB }))).toBe(
      `scenario big: found 5GiB of RAM and VRAM, allowed: at most 4GiB, the largest array of Node ${process.versions.node} (reduce ram, devices.vram or devices.count)`,
    );
  });

  it('knows what this machine has', () => {
    const { availableBytes, bufferBytesMax } = thisMachine();
    expect(availableBytes).toBeGreaterThan(0);
    expect(Number.isFinite(availableBytes)).toBe(true);
    expect(bufferBytesMax).toBeGreaterThanOrEqual(4 * GIB);
  });
});
