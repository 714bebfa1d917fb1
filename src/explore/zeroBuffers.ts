/** Makes the shared memory of a machine as new, so that the next machine can be built in it. */

import { PAGE_BYTES } from '../base/units.js';
import { PhysicalLayout } from '../memory/physicalLayout.js';
import type { SharedBuffers } from '../simulation/sharedBuffers.js';

export function zeroBuffers(buffers: SharedBuffers): void {
  const { memory, folios, cpuTables, gpuTables, iommus, arrays, brackets, rings, board, payloads } = buffers;
  for (const buffer of [
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
    new Float64Array(buffer, 0, buffer.byteLength >>> 3).fill(0);
  }
  const bytes = new Float64Array(memory);
  for (const { firstPfn, pages } of new PhysicalLayout(buffers.layout).zones) {
    bytes.fill(0, (firstPfn * PAGE_BYTES) / 8, ((firstPfn + pages) * PAGE_BYTES) / 8);
  }
}
