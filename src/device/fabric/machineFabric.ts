/** Wires a machine from the few figures that a cost preset gives: host, PCIe switches, GPUs, and what joins the GPUs. */

import { Link, type LinkId, peerOf } from '../interconnect.js';
import { Topology } from './topology.js';

/**
 * How GPUs reach one another: over a link of their own for each pair; through a switch, each over one port; or over the PCIe links that lead to the
 * host.
 */
export const peerWirings = ['direct', 'switch', 'pcie'] as const;
export type PeerWiring = (typeof peerWirings)[number];

/** Bandwidths in GB/s, Infinity where there is no limit; times in nanoseconds. */
export interface FabricConfig {
  readonly peers: PeerWiring;
  /** GPUs below one PCIe switch, whose uplink they share; 0: each has a port of the host to itself. */
  readonly devicesPerSwitch: number;
  /** Of one GPU, each direction. */
  readonly hostLinkGBps: number;
  /** Of one GPU, both directions together. */
  readonly hostDuplexGBps: number;
  /** Of a PCIe switch to the host, each direction. */
  readonly hostUplinkGBps: number;
  /** All that reads and writes RAM. */
  readonly hostMemoryGBps: number;
  /** Of a pair, or of a GPU to the switch, each direction. */
  readonly peerLinkGBps: number;
  readonly peerDuplexGBps: number;
  readonly vramGBps: number;
  /** One engine's own limit. */
  readonly copyEngineGBps: number;
  /** Start of a transfer from or to RAM. */
  readonly linkLatencyNs: number;
  /** Start of a transfer between GPUs. */
  readonly peerLatencyNs: number;
  /** More for each switch on the way. */
  readonly hopLatencyNs: number;
}

/** What a transfer over a link of a device crosses. */
export interface Way {
  readonly path: readonly number[];
  readonly latencyNs: number;
  /** Most that one transfer can use, in bytes per nanosecond. */
  readonly most: number;
}

export class MachineFabric {
  readonly topology = new Topology();
  private readonly host: number;
  private readonly root: number;
  private readonly devices: readonly number[];
  private readonly vrams: readonly (readonly number[])[];

  constructor(
    private readonly config: FabricConfig,
    deviceCount: number,
  ) {
    const { topology } = this;
    this.host = topology.addNode(false);
    this.root = topology.addNode(true);
    this.devices = Array.from({ length: deviceCount }, () => topology.addNode(false));
    this.vrams = this.devices.map(() => topology.limitOf(config.vramGBps));
    // First, so that among ways of equal length theirs is taken.
    this.wirePeers();
    this.wireHost();
  }

  /** Of device `device`, as its copy engine names the link. Null for a peer that cannot be reached. */
  way(device: number, link: LinkId): Way | null {
    const self = this.devices[device];
    const { vramGBps, linkLatencyNs, copyEngineGBps: most } = this.config;
    if (link === Link.local)
      return { path: this.vrams[device], latencyNs: 0, most: Math.min(most, vramGBps) };
    if (link === Link.hostToDevice) return this.wayOver(this.host, self, linkLatencyNs, most);
    if (link === Link.deviceToHost) return this.wayOver(self, this.host, linkLatencyNs, most);
    const { device: peer, isRead } = peerOf(link);
    const other = this.devices[peer];
    const { peerLatencyNs } = this.config;
    return this.wayOver(isRead ? other : self, isRead ? self : other, peerLatencyNs, most);
  }

  private wayOver(from: number, to: number, startNs: number, most: number): Way | null {
    const route = from === to ? null : this.topology.route(from, to);
    if (route === null) return null;
    const touchesHost = from === this.host || to === this.host;
    // A transfer of RAM starts at the host bridge; between two GPUs it is one more switch.
    const hops = route.via.filter((node) => node !== this.root || !touchesHost).length;
    return { path: route.path, latencyNs: startNs + hops * this.config.hopLatencyNs, most };
  }

  private wireHost(): void {
    const { topology, config } = this;
    const { hostLinkGBps, hostDuplexGBps, hostUplinkGBps, hostMemoryGBps, devicesPerSwitch } = config;
    topology.connect(this.host, this.root, { each: Number.POSITIVE_INFINITY, both: hostMemoryGBps });
    let upstream = this.root;
    this.devices.forEach((device, i) => {
      if (devicesPerSwitch > 0 && i % devicesPerSwitch === 0) {
        upstream = topology.addNode(true);
        topology.connect(this.root, upstream, { each: hostUplinkGBps, both: Number.POSITIVE_INFINITY });
      }
      topology.connect(upstream, device, { each: hostLinkGBps, both: hostDuplexGBps });
    });
  }

  private wirePeers(): void {
    const { topology, devices } = this;
    const rates = { each: this.config.peerLinkGBps, both: this.config.peerDuplexGBps };
    switch (this.config.peers) {
      case 'pcie':
        return;
      case 'switch': {
        const node = topology.addNode(true);
        for (const device of devices) topology.connect(device, node, rates);
        return;
      }
      case 'direct':
        devices.forEach((a, i) => {
          for (const b of devices.slice(i + 1)) topology.connect(a, b, rates);
        });
    }
  }
}
