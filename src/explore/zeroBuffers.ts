/** Makes the shared memory of a machine as new, so that the next machine can be built in it. */

import type { SharedBuffers } from '../simulation/sharedBuffers.js';

export function zeroBuffers(buffers: SharedBuffers): void {
  const { memory, folios, cpuTables, gpuTables, iommus, arrays, brackets, rings, board, payloads } = buffers;
  for (const buffer of [
    memory,
    folios,
    cpuTables,
    ...gpuTables,
    ...iommus,
    arrays,
    brackets,
    rings,
    board,
    payloads,
  ]) {
    new Uint8Array(buffer).fill(0);
  }
}
