/** The links of one device and the model of how long bytes take on them. */

import type { Brand } from '../base/brand.js';
import type { Steps } from '../sim/steps.js';

export interface LinkSpec {
  /** Bytes per nanosecond, which is GB/s. */
  readonly bandwidthBytesPerNs: number;
  /** From the request to its first byte. */
  readonly latencyNs: number;
}

/** What one device is connected to; each direction is a link of its own. */
export interface DeviceLinks {
  readonly hostToDevice: LinkSpec;
  readonly deviceToHost: LinkSpec;
  /** Within the device's own VRAM. */
  readonly local: LinkSpec;
  /** By device index; null for the device itself and for devices that it does not reach. The same figures hold both ways. */
  readonly peers: readonly (LinkSpec | null)[];
}

/** One direction of one link of a device. */
export type LinkId = Brand<number, 'LinkId'>;

const FIRST_PEER = 3;

function linkId(index: number): LinkId {
  return index as LinkId;
}

export const Link = {
  hostToDevice: linkId(0),
  deviceToHost: linkId(1),
  local: linkId(2),
} as const;

/** The direction in which this device writes to another. */
export function linkToPeer(device: number): LinkId {
  return linkId(FIRST_PEER + 2 * device);
}

/** The direction in which this device reads from another. */
export function linkFromPeer(device: number): LinkId {
  return linkId(FIRST_PEER + 2 * device + 1);
}

export function linkAt(index: number): LinkId {
  return linkId(index);
}

/** How many link numbers a device with these links has. */
export function linkCount(links: DeviceLinks): number {
  return FIRST_PEER + 2 * links.peers.length;
}

/** As tables and traces name it: `RAM to VRAM`, `to gpu2`. */
export function linkName(link: LinkId): string {
  switch (link) {
    case Link.hostToDevice:
      return 'RAM to VRAM';
    case Link.deviceToHost:
      return 'VRAM to RAM';
    case Link.local:
      return 'within VRAM';
    default: {
      const { device, isRead } = peerOf(link);
      return `${isRead ? 'from' : 'to'} gpu${device}`;
    }
  }
}

/** The device at the other end of a link to a peer, and whether bytes come from there. */
export function peerOf(link: LinkId): { readonly device: number; readonly isRead: boolean } {
  const number = link - FIRST_PEER;
  return { device: number >>> 1, isRead: (number & 1) === 1 };
}

/** The figures of a link; null where there is none. */
export function linkSpec(links: DeviceLinks, link: LinkId): LinkSpec | null {
  if (link === Link.hostToDevice) return links.hostToDevice;
  if (link === Link.deviceToHost) return links.deviceToHost;
  if (link === Link.local) return links.local;
  return links.peers[peerOf(link).device] ?? null;
}

/**
 * Decides how long transfers take and how those that share a link share its bandwidth. Each device has one. Where all actors are on one thread,
 * and only there time is modelled, they share one fabric behind it.
 */
export interface Interconnect {
  /** Returns when the bytes have passed; at once where time is not modelled. `continued` transfers follow one whose latency was paid. */
  transfer(link: LinkId, bytes: number, continued: boolean): Steps<void>;
}
