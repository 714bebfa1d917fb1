/** Links: how long bytes take, and how concurrent transfers share a link. */

import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { FifoInterconnect } from '../../src/device/fifoInterconnect.js';
import {
  type DeviceLinks,
  Link,
  type LinkId,
  linkCount,
  linkFromPeer,
  linkSpec,
  linkToPeer,
} from '../../src/device/interconnect.js';
import type { Steps } from '../../src/sim/steps.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';
import { ACTOR, executor, settle } from './harness.js';

const links: DeviceLinks = {
  hostToDevice: { bandwidthBytesPerNs: 25, latencyNs: 1000 },
  deviceToHost: { bandwidthBytesPerNs: 20, latencyNs: 800 },
  local: { bandwidthBytesPerNs: 500, latencyNs: 10 },
  peers: [null, { bandwidthBytesPerNs: 50, latencyNs: 500 }],
};

interface Transfer {
  readonly link: LinkId;
  readonly bytes: number;
  readonly startNs?: number;
  readonly continued?: boolean;
}

/** When each of several transfers is done. */
function timesOf(transfers: readonly Transfer[], sched: VirtualExecutor = executor()): number[] {
  const interconnect = new FifoInterconnect(sched, links);
  const times: number[] = [];
  function* run(transfer: Transfer, index: number): Steps<void> {
    yield* sched.sleep(transfer.startNs ?? 0);
    yield* interconnect.transfer(transfer.link, transfer.bytes, transfer.continued ?? false);
    times[index] = sched.now();
  }
  transfers.forEach((transfer, index) => {
    sched.spawn(ACTOR, `transfer ${index}`, run(transfer, index));
  });
  settle(sched);
  return times;
}

describe('links', () => {
  it('have a number each, with the figures of the link', () => {
    expect(linkCount(links)).toBe(7);
    const all = [
      Link.hostToDevice,
      Link.deviceToHost,
      Link.local,
      linkToPeer(0),
      linkFromPeer(0),
      linkToPeer(1),
      linkFromPeer(1),
    ];
    expect(all).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(all.map((link) => linkSpec(links, link)?.bandwidthBytesPerNs ?? null)).toEqual([
      25,
      20,
      500,
      null,
      null,
      50,
      50,
    ]);
  });
});

describe('FifoInterconnect', () => {
  it('takes bytes over bandwidth, and the latency unless it was paid', () => {
    expect(timesOf([{ link: Link.hostToDevice, bytes: 50_000 }])).toEqual([3000]);
    expect(timesOf([{ link: Link.hostToDevice, bytes: 50_000, continued: true }])).toEqual([2000]);
    expect(timesOf([{ link: linkToPeer(1), bytes: 50_000 }])).toEqual([1500]);
  });

  it('lets transfers on one link follow one another, in order of arrival', () => {
    const times = timesOf([
      { link: Link.deviceToHost, bytes: 20_000, startNs: 10 },
      { link: Link.deviceToHost, bytes: 40_000, startNs: 20 },
      { link: Link.deviceToHost, bytes: 20_000, startNs: 10_000 },
    ]);
    expect(times).toEqual([10 + 1000 + 800, 10 + 1000 + 2000 + 800, 10_000 + 1000 + 800]);
  });

  it('keeps directions and links apart', () => {
    const bytes = 50_000;
    const alone = [Link.hostToDevice, Link.deviceToHost, linkToPeer(1), linkFromPeer(1)].map(
      (link) => timesOf([{ link, bytes }])[0],
    );
    const together = timesOf([
      { link: Link.hostToDevice, bytes },
      { link: Link.deviceToHost, bytes },
      { link: linkToPeer(1), bytes },
      { link: linkFromPeer(1), bytes },
    ]);
    expect(together).toEqual(alone);
  });

  it('asserts against a link that is not there', () => {
    expect(() => timesOf([{ link: linkToPeer(0), bytes: 1 }])).toThrow(AssertionFailure);
  });

  it('takes no time where time is not modelled', () => {
    class WallClock extends VirtualExecutor {
      override readonly modelsTime = false as unknown as true;
    }
    expect(timesOf([{ link: Link.local, bytes: 1e9 }], new WallClock(new RandomStrategy(1)))).toEqual([0]);
  });
});
