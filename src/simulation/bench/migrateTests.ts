/** The tests of `bench migrate`, named as in nvbandwidth: which memories each moves between, and what moves at the same time. */

import { BENCH_RAM } from '../../workload/bench/migrateBench.js';
import type { MigrateFlow } from '../../workload/workloadConfig.js';

/** Flows that run at once. Those beyond `counted` are there to be in the way. */
export interface FlowGroup {
  readonly flows: readonly MigrateFlow[];
  /** Of the first so many flows figures are taken. */
  readonly counted: number;
}

export interface MigrateTest {
  readonly what: string;
  /** Devices reach one another's memory; otherwise pages go through RAM. */
  readonly direct: boolean;
  /** The cost model says how long it takes. */
  readonly modelled: boolean;
  /** All that a group counts moves at the same time: what its flows bring is told together, as each alone ends when it will. */
  readonly isTogether: boolean;
  /** With fewer there is nothing to measure. */
  readonly devicesMin: number;
  groups(devices: number): FlowGroup[];
}

const RAM = BENCH_RAM;

export const migrateTests = {
  host_to_device: alone('RAM to each device', 1, hostPairs),
  device_to_host: alone('each device to RAM', 1, (devices) => hostPairs(devices).map(turned)),
  device_to_device_peer: alone('each device to each other one, directly', 2, devicePairs),
  device_to_device_bounce: alone('each device to each other one, through RAM', 2, devicePairs, false),
  host_to_device_bidirectional: bothWays('RAM to each device, while as much comes back', 1, hostPairs),
  device_to_host_bidirectional: bothWays('each device to RAM, while as much goes there', 1, (devices) =>
    hostPairs(devices).map(turned),
  ),
  device_to_device_peer_bidirectional: exchanged('two devices to each other at once, directly', true),
  device_to_device_bounce_bidirectional: exchanged('two devices to each other at once, through RAM', false),
  all_to_host: together('all devices to RAM at once', 1, (devices) => [hostPairs(devices).map(turned)]),
  host_to_all: together('RAM to all devices at once', 1, (devices) => [hostPairs(devices)]),
  all_to_one: together('all other devices to one at once', 2, (devices) =>
    each(devices, (one) => devicePairs(devices).filter(({ destination }) => destination === one)),
  ),
  one_to_all: together('one device to all others at once', 2, (devices) =>
    each(devices, (one) => devicePairs(devices).filter(({ source }) => source === one)),
  ),
  all_to_all: together('each device to each other one at once', 2, (devices) => [devicePairs(devices)]),
  local: {
    ...alone('within the memory of each device, by its own code', 1, (devices) =>
      each(devices, (device) => ({ source: device, destination: device })),
    ),
    modelled: false,
  },
} as const satisfies Readonly<Record<string, MigrateTest>>;

export type MigrateTestName = keyof typeof migrateTests;
export const migrateTestNames = Object.keys(migrateTests) as MigrateTestName[];

/** The four directions, one pair at a time: what `bench migrate` measures unless told otherwise. */
export const defaultMigrateTests: readonly MigrateTestName[] = [
  'host_to_device',
  'device_to_host',
  'device_to_device_peer',
  'device_to_device_bounce',
];

function each<T>(devices: number, of: (device: number) => T): T[] {
  return Array.from({ length: devices }, (_, device) => of(device));
}

function hostPairs(devices: number): MigrateFlow[] {
  return each(devices, (destination) => ({ source: RAM, destination }));
}

function devicePairs(devices: number): MigrateFlow[] {
  return each(devices, (source) => each(devices, (destination) => ({ source, destination })))
    .flat()
    .filter(({ source, destination }) => source !== destination);
}

function turned({ source, destination }: MigrateFlow): MigrateFlow {
  return { source: destination, destination: source };
}

type Pairs = (devices: number) => MigrateFlow[];

/** One pair after another. */
function alone(what: string, devicesMin: number, pairs: Pairs, direct = true): MigrateTest {
  const groups = (devices: number): FlowGroup[] =>
    pairs(devices).map((flow) => ({ flows: [flow], counted: 1 }));
  return { what, direct, modelled: true, isTogether: false, devicesMin, groups };
}

/** One pair after another, each with a flow the other way that is not counted. */
function bothWays(what: string, devicesMin: number, pairs: Pairs): MigrateTest {
  const groups = (devices: number): FlowGroup[] =>
    pairs(devices).map((flow) => ({ flows: [flow, turned(flow)], counted: 1 }));
  return { what, direct: true, modelled: true, isTogether: false, devicesMin, groups };
}

/** Two devices after another two; both ways count. */
function exchanged(what: string, direct: boolean): MigrateTest {
  const groups = (devices: number): FlowGroup[] =>
    devicePairs(devices)
      .filter(({ source, destination }) => source < destination)
      .map((flow) => ({ flows: [flow, turned(flow)], counted: 2 }));
  return { what, direct, modelled: true, isTogether: true, devicesMin: 2, groups };
}

function together(
  what: string,
  devicesMin: number,
  flows: (devices: number) => MigrateFlow[][],
): MigrateTest {
  const groups = (devices: number): FlowGroup[] =>
    flows(devices).map((at) => ({ flows: at, counted: at.length }));
  return { what, direct: true, modelled: true, isTogether: true, devicesMin, groups };
}
