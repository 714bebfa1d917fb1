/** Between which places the bytes of a link go. */

import { Link, linkAt, peerOf } from '../../device/interconnect.js';

/** Number of the place RAM; that of device i is 1 + i. */
export const RAM = 0;

/** Source and destination of a link of `device`, whose engine copies. */
export function linkEnds(device: number, link: number): readonly [from: number, to: number] {
  const own = 1 + device;
  switch (linkAt(link)) {
    case Link.hostToDevice:
      return [RAM, own];
    case Link.deviceToHost:
      return [own, RAM];
    case Link.local:
      return [own, own];
    default: {
      const peer = peerOf(linkAt(link));
      return peer.isRead ? [1 + peer.device, own] : [own, 1 + peer.device];
    }
  }
}
