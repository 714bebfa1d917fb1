/** Transfers that share links: against a model that moves all bytes in the smallest of steps. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fabric, FabricLinks } from '../../../src/device/fabric/fabric.js';
import { type FabricConfig, MachineFabric } from '../../../src/device/fabric/machineFabric.js';
import { fillFairly, type Share } from '../../../src/device/fabric/maxMinFair.js';
import { Link, type LinkId, linkFromPeer, linkToPeer } from '../../../src/device/interconnect.js';
import type { Steps } from '../../../src/sim/steps.js';
import { ACTOR, executor, settle } from '../harness.js';

interface Sent {
  readonly path: readonly number[];
  readonly bytes: number;
  readonly startNs: number;
}

function timesOf(capacities: readonly number[], sent: readonly Sent[]): number[] {
  const sched = executor();
  const fabric = new Fabric(sched, capacities);
  const times: number[] = [];
  function* run({ path, bytes, startNs }: Sent, i: number): Steps<void> {
    yield* sched.sleep(startNs);
    yield* fabric.transfer({ path, latencyNs: 0, most: Number.POSITIVE_INFINITY }, bytes);
    times[i] = sched.now();
  }
  sent.forEach((one, i) => {
    sched.spawn(ACTOR, `transfer ${i}`, run(one, i));
  });
  settle(sched);
  return times;
}

/** From event to event, with all transfers looked at each time. */
function modelTimes(capacities: readonly number[], sent: readonly Sent[]): number[] {
  const left = sent.map(({ bytes }) => bytes);
  const times = sent.map(() => -1);
  for (let now = 0; times.includes(-1); ) {
    const active = sent.flatMap(({ startNs }, i) => (startNs <= now && times[i] < 0 ? [i] : []));
    const shares: Share[] = active.map((i) => ({
      path: sent[i].path,
      most: Number.POSITIVE_INFINITY,
      rate: 0,
    }));
    fillFairly(capacities, shares);
    const ends = active.map((i, at) => now + left[i] / shares[at].rate);
    const starts = sent.filter(({ startNs }) => startNs > now).map(({ startNs }) => startNs);
    const next = Math.min(...ends, ...starts);
    active.forEach((i, at) => {
      left[i] -= shares[at].rate * (next - now);
      if (ends[at] <= next) times[i] = next;
    });
    now = next;
  }
  return times;
}

describe('the fabric', () => {
  it('lets one transfer take bytes over bandwidth', () => {
    expect(timesOf([25], [{ path: [0], bytes: 50_000, startNs: 10 }])).toEqual([2010]);
  });

  it('lets two share a link from the moment on at which the second begins, until one ends', () => {
    const times = timesOf(
      [10],
      [
        { path: [0], bytes: 10_000, startNs: 0 },
        { path: [0], bytes: 1_000, startNs: 100 },
      ],
    );
    // The second goes at half speed for 200ns; the first has lost 100ns by then.
    expect(times).toEqual([1100, 300]);
  });

  it('takes the times of the model, whatever starts when', () => {
    const sent = fc.record({
      path: fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 3 }),
      bytes: fc.integer({ min: 1, max: 100_000 }),
      startNs: fc.integer({ min: 0, max: 5_000 }),
    });
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 5, maxLength: 5 }),
        fc.array(sent, { minLength: 1, maxLength: 10 }),
        (capacities, all) => {
          const times = timesOf(capacities, all);
          modelTimes(capacities, all).forEach((expected, i) => {
            expect(Math.abs(times[i] - expected)).toBeLessThan(1e-3 + expected * 1e-6);
          });
        },
      ),
    );
  });
});

const CONFIG: FabricConfig = {
  peers: 'direct',
  devicesPerSwitch: 0,
  hostLinkGBps: 25,
  hostDuplexGBps: 40,
  hostUplinkGBps: 30,
  hostMemoryGBps: Number.POSITIVE_INFINITY,
  peerLinkGBps: 50,
  peerDuplexGBps: Number.POSITIVE_INFINITY,
  vramGBps: 500,
  copyEngineGBps: Number.POSITIVE_INFINITY,
  linkLatencyNs: 1000,
  peerLatencyNs: 500,
  hopLatencyNs: 100,
};

/** Bytes per nanosecond of each of several transfers that begin together and move alike many bytes; `[device, link]`. */
function together(
  config: Partial<FabricConfig>,
  devices: number,
  moves: readonly [number, LinkId][],
): number[] {
  const sched = executor();
  const machine = new MachineFabric({ ...CONFIG, ...config }, devices);
  const fabric = new Fabric(sched, machine.topology.capacities);
  const bytes = 1e9;
  const result: number[] = [];
  function* run([device, link]: [number, LinkId], i: number): Steps<void> {
    yield* new FabricLinks(sched, fabric, machine, device).transfer(link, bytes, true);
    result[i] = Math.round((bytes / sched.now()) * 100) / 100;
  }
  moves.forEach((move, i) => {
    sched.spawn(ACTOR, `move ${i}`, run(move, i));
  });
  settle(sched);
  return result;
}

function latency(config: Partial<FabricConfig>, device: number, link: LinkId, devices = 4): number | null {
  return new MachineFabric({ ...CONFIG, ...config }, devices).way(device, link)?.latencyNs ?? null;
}

describe('a machine', () => {
  const up = Link.hostToDevice;
  const down = Link.deviceToHost;

  it('has links of its own for each GPU, whose directions may hinder each other', () => {
    expect(
      together({}, 2, [
        [0, up],
        [1, up],
      ]),
    ).toEqual([25, 25]);
    expect(
      together({}, 2, [
        [0, up],
        [0, down],
      ]),
    ).toEqual([20, 20]);
    expect(
      together({ hostDuplexGBps: Number.POSITIVE_INFINITY }, 1, [
        [0, up],
        [0, down],
      ]),
    ).toEqual([25, 25]);
  });

  it('with PCIe switches lets the GPUs below one share its uplink', () => {
    const config = { devicesPerSwitch: 2 };
    expect(
      together(config, 4, [
        [0, up],
        [1, up],
      ]),
    ).toEqual([15, 15]);
    expect(
      together(config, 4, [
        [0, up],
        [2, up],
      ]),
    ).toEqual([25, 25]);
  });

  it('may have less bandwidth of RAM than all links together', () => {
    expect(
      together({ hostMemoryGBps: 40 }, 4, [
        [0, up],
        [1, up],
        [2, up],
        [3, down],
      ]),
    ).toEqual([10, 10, 10, 10]);
  });

  it('with direct links has one for each pair', () => {
    expect(
      together({}, 4, [
        [0, linkToPeer(1)],
        [0, linkToPeer(2)],
        [0, linkToPeer(3)],
      ]),
    ).toEqual([50, 50, 50]);
    expect(
      together({}, 2, [
        [0, linkToPeer(1)],
        [1, linkFromPeer(0)],
      ]),
    ).toEqual([25, 25]);
    expect(
      together({}, 2, [
        [0, linkToPeer(1)],
        [0, linkFromPeer(1)],
      ]),
    ).toEqual([50, 50]);
  });

  it('with a switch between GPUs shares the port of each', () => {
    const config = { peers: 'switch' } as const;
    expect(
      together(config, 4, [
        [0, linkToPeer(1)],
        [2, linkToPeer(3)],
      ]),
    ).toEqual([50, 50]);
    expect(
      together(config, 4, [
        [0, linkToPeer(1)],
        [0, linkToPeer(2)],
      ]),
    ).toEqual([25, 25]);
    expect(
      together(config, 4, [
        [1, linkToPeer(0)],
        [2, linkToPeer(0)],
      ]),
    ).toEqual([25, 25]);
  });

  it('without links between GPUs takes those to the host, also against what goes there', () => {
    const config = { peers: 'pcie', hostDuplexGBps: Number.POSITIVE_INFINITY } as const;
    expect(together(config, 4, [[0, linkToPeer(1)]])).toEqual([25]);
    expect(
      together(config, 4, [
        [0, linkToPeer(1)],
        [0, down],
      ]),
    ).toEqual([12.5, 12.5]);
    const switched = { ...config, devicesPerSwitch: 2, hostUplinkGBps: 10 };
    expect(together(switched, 4, [[0, linkToPeer(1)]])).toEqual([25]);
    expect(together(switched, 4, [[0, linkToPeer(2)]])).toEqual([10]);
  });

  it('lets no transfer be faster than its engine', () => {
    expect(
      together({ copyEngineGBps: 12 }, 2, [
        [0, linkToPeer(1)],
        [1, up],
      ]),
    ).toEqual([12, 12]);
    expect(together({ copyEngineGBps: 12 }, 2, [[0, Link.local]])).toEqual([12]);
  });

  it('takes the time of its own limit where a transfer shares nothing with anybody', () => {
    const sched = executor();
    const fabric = new Fabric(sched, []);
    sched.spawn(ACTOR, 'copy', fabric.transfer({ path: [], latencyNs: 0, most: 4 }, 1000));
    settle(sched);
    expect(sched.now()).toBe(250);
  });

  it('takes no time for what nothing limits', () => {
    const none = Number.POSITIVE_INFINITY;
    const sched = executor();
    const machine = new MachineFabric({ ...CONFIG, vramGBps: none, linkLatencyNs: 0 }, 1);
    const links = new FabricLinks(sched, new Fabric(sched, machine.topology.capacities), machine, 0);
    sched.spawn(ACTOR, 'copy', links.transfer(Link.local, 1e9, false));
    settle(sched);
    expect([sched.now(), sched.steps]).toEqual([0, 1]);
  });

  it('counts the switches on the way', () => {
    expect(latency({}, 0, up)).toBe(1000);
    expect(latency({ devicesPerSwitch: 2 }, 0, up)).toBe(1100);
    expect(latency({}, 0, linkToPeer(1))).toBe(500);
    expect(latency({ peers: 'switch' }, 0, linkToPeer(1))).toBe(600);
    expect(latency({ peers: 'pcie' }, 0, linkToPeer(1))).toBe(600);
    expect(latency({ peers: 'pcie', devicesPerSwitch: 2 }, 0, linkToPeer(1))).toBe(600);
    expect(latency({ peers: 'pcie', devicesPerSwitch: 2 }, 0, linkToPeer(2))).toBe(800);
    expect(latency({}, 0, linkToPeer(0))).toBe(null);
    expect(latency({ devicesPerSwitch: 2 }, 0, Link.local)).toBe(0);
  });
});
