/** The DMA interface of a device keeps a ledger in which every unmap must be what was mapped. */

import { describe, expect, it } from 'vitest';
import { DeviceDma } from '../../src/device/deviceDma.js';
import { Iommu } from '../../src/device/iommu.js';
import { IommuMapper } from '../../src/device/iommuMapper.js';
import { DmaDir, DmaProto } from '../../src/memory/dmaAddr.js';
import { DmaIovaState } from '../../src/memory/dmaIova.js';
import { pfn } from '../../src/memory/pfn.js';

/** A reservation with two single pages and a large folio in it, all to be read by the device. */
function linked(): { dma: DeviceDma; state: DmaIovaState } {
  const dma = new DeviceDma(0, new IommuMapper(Iommu.allocate(16, 16), 0));
  const state = new DmaIovaState();
  expect(dma.dmaIovaTryAlloc(state, 6)).toBe(true);
  const addrs = new Uint32Array(2);
  expect(dma.dmaIovaLinkPages(state, Uint32Array.of(700, 701), 2, 0, DmaDir.ToDevice, addrs)).toBe(2);
  expect(dma.dmaIovaLink(state, pfn(720), 2, 2, DmaDir.ToDevice)).toBeGreaterThan(0);
  return { dma, state };
}

describe('an unlink of a reservation', () => {
  it('leaves nothing in the ledger', () => {
    const { dma, state } = linked();
    expect(dma.ledger.liveOf(DmaProto.System)).toBe(6);
    dma.dmaIovaUnlink(state, 0, 6, DmaDir.ToDevice);
    expect([dma.ledger.liveOf(DmaProto.System), dma.ledger.sumOf(DmaProto.System)]).toEqual([0, 0]);
    expect(dma.ledger.mismatches).toEqual([]);
  });

  it('is told of each link that was made in another direction, whatever its size', () => {
    const { dma, state } = linked();
    const first = state.addr;
    dma.dmaIovaUnlink(state, 0, 6, DmaDir.FromDevice);
    expect(dma.ledger.mismatches.map((what) => Number(/I\/O page (\d+) of gpu0/.exec(what)?.[1]))).toEqual([
      first,
      first + 1,
      first + 2,
    ]);
  });
});
