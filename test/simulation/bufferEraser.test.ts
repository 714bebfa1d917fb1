/** Shared memory that is handed on: after a run of whatever kind, nothing of it is left. */

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { FailureInjector } from '../../src/memory/failureInjector.js';
import { loadCaseFile } from '../../src/scenario/case/loadCases.js';
import { BufferEraser } from '../../src/simulation/bufferEraser.js';
import { caseMachine } from '../../src/simulation/case/caseMachine.js';
import { VirtualCase } from '../../src/simulation/case/virtualCase.js';
import { allocateBuffers, type SharedBuffers } from '../../src/simulation/sharedBuffers.js';

/** Nobody reads of payloads what nobody has written, and counters begin anew. */
function usedBuffers({ payloads: _, observer: __, ...buffers }: SharedBuffers): string[] {
  return Object.entries(buffers).flatMap(([name, value]) => {
    const all = Array.isArray(value) ? value : [value];
    const isUsed = all.some((buffer) => buffer instanceof SharedArrayBuffer && hasBits(buffer));
    return isUsed ? [name] : [];
  });
}

function hasBits(buffer: SharedArrayBuffer): boolean {
  return new Uint8Array(buffer).some((byte) => byte !== 0);
}

describe('erased buffers', () => {
  it.each([
    ['svmsim-mirror.json', ['memory', 'folios', 'rings']],
    ['svmsim-reference.json', ['memory', 'folios', 'gpuTables', 'arrays']],
  ])('are zero after a run of %s, of which %j at least were not', (file, atLeast) => {
    const [one] = loadCaseFile(fileURLToPath(new URL(`../cases/${file}`, import.meta.url)));
    const config = caseMachine(one, 'virtual', 1);
    const buffers = allocateBuffers(config);
    const eraser = new BufferEraser(config, buffers);
    const run = new VirtualCase(one, config, { injector: new FailureInjector(), afterStep() {} }, buffers);
    expect(run.run().problems).toEqual([]);
    // As if a device had stored to what is no memory.
    if (config.deviceCount > 0) new Int32Array(buffers.memory)[0] = 7;
    expect(usedBuffers(buffers)).toEqual(expect.arrayContaining(atLeast));
    eraser.eraseUsed(run.machine);
    eraser.eraseRest();
    expect(usedBuffers(buffers)).toEqual([]);
  });
});
