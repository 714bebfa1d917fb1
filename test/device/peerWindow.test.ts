/** What a device may reach of its peers: rights by mapping, counted. */

import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { PeerWindow } from '../../src/device/peerWindow.js';
import { DmaDir } from '../../src/memory/dmaAddr.js';

function window(): PeerWindow {
  return new PeerWindow(new Uint32Array(new SharedArrayBuffer(4 * 16)));
}

function rights(peers: PeerWindow, frame: number): string {
  return `${peers.allows(frame, false) ? 'r' : '-'}${peers.allows(frame, true) ? 'w' : '-'}`;
}

describe('PeerWindow', () => {
  it('gives the rights of the direction, for the frames of the mapping only', () => {
    const peers = window();
    peers.map(2, 2, DmaDir.ToDevice);
    peers.map(5, 1, DmaDir.FromDevice);
    peers.map(7, 1, DmaDir.Bidirectional);
    expect([1, 2, 3, 4, 5, 6, 7, 8].map((frame) => rights(peers, frame))).toEqual([
      '--',
      'r-',
      'r-',
      '--',
      '-w',
      '--',
      'rw',
      '--',
    ]);
  });

  it('allows what any mapping of the frame allows, until the last one ends', () => {
    const peers = window();
    peers.map(3, 1, DmaDir.Bidirectional);
    peers.map(3, 1, DmaDir.ToDevice);
    expect(peers.mappingsOf(3)).toBe(2);
    peers.unmap(3, 1, DmaDir.Bidirectional);
    expect(rights(peers, 3)).toBe('r-');
    peers.unmap(3, 1, DmaDir.ToDevice);
    expect(rights(peers, 3)).toBe('--');
    expect(peers.mappingsOf(3)).toBe(0);
  });

  it('refuses to end what was not mapped like that', () => {
    const peers = window();
    peers.map(3, 1, DmaDir.ToDevice);
    expect(() => peers.unmap(3, 1, DmaDir.Bidirectional)).toThrow(AssertionFailure);
    expect(() => peers.unmap(4, 1, DmaDir.ToDevice)).toThrow(AssertionFailure);
    expect(rights(peers, 3)).toBe('r-');
  });
});
