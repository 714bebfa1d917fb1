/** The screen of `svmsim top` as text: what is on it, and that it fits. */

import { describe, expect, it } from 'vitest';
import { snapshotText } from '../../src/report/snapshotText.js';
import { type TopState, topLines } from '../../src/report/topView.js';
import type { LiveSnapshot } from '../../src/simulation/liveRun.js';

const state: TopState = { title: 'small: 1 devices', prompt: null, page: [], message: '', help: false };
const size = { columns: 120, rows: 40 };

function snapshot(elapsedMs: number, steps: number, bytes: number): LiveSnapshot {
  const copies = {
    requests: 1,
    errors: 0,
    runs: 1,
    pages: 1,
    zeroPages: 0,
    hostToDeviceBytes: bytes,
    deviceToHostBytes: 0,
    peerBytes: 0,
    localBytes: 0,
    simulatedNs: 0,
  };
  const vram = { allocations: 1, releases: 0, failures: 0, usedPages: 256, freePages: 768 };
  const counters = { svm_pagefault_count: steps };
  return {
    phase: 'running',
    elapsedMs,
    actors: [
      {
        name: 'coordinator',
        letter: 'R',
        steps,
        waits: ['fault#7 waits for mmap_lock'],
        sent: 0,
        toReceive: 0,
      },
      { name: 'gpu0', letter: 'W', steps: 0, waits: [], sent: 3, toReceive: 1200 },
    ],
    locks: [
      { name: 'mmap_lock of mm 1', mode: 'write', holders: ['munmap#2'], waiters: ['fault#7', 'fault#9'] },
      { name: 'notifier lock', mode: null, holders: [], waiters: ['zap#1'] },
    ],
    counters,
    devices: [{ counters, activity: { copies, vram, faultsInFlight: 5, copiesInFlight: 2 } }],
  };
}

describe('the screen of top', () => {
  it('shows actors, queues, links and locks, with rates between two looks', () => {
    const lines = topLines(snapshot(2000, 3000, 3e6), snapshot(1000, 1000, 1e6), state, size);
    const text = lines.join('\n');
    expect(lines[0]).toBe('small: 1 devices  running  00m:02s wall');
    expect(text).toMatch(/coordinator +R +2k +0 +0 +fault#7 waits for mmap_lock/);
    expect(text).toMatch(/gpu0 +W +0 +3 +1,200$/m);
    expect(text).toMatch(/gpu0 +2k +5 +2 +2MB\/s +0B\/s +0B\/s +1MiB of 4MiB/);
    expect(text).toMatch(/mmap_lock of mm 1 +write +munmap#2 +2 +fault#7/);
    expect(text).toMatch(/notifier lock +- +1 +zap#1/);
    expect(lines.at(-1)).toContain('p pause');
  });

  it('has no rates on the first look, and a question mark where a device does not answer', () => {
    const { devices, ...rest } = snapshot(1000, 1000, 1e6);
    const silent = { ...rest, devices: devices.map(({ counters }) => ({ counters, activity: null })) };
    const text = topLines(silent, null, state, size).join('\n');
    expect(text).toMatch(/coordinator +R +0 /);
    expect(text).toMatch(/gpu0 +0 +\? +\?/);
  });

  it('shows what is asked, what was looked at, and the keys', () => {
    const now = snapshot(1000, 1, 1);
    const asking = topLines(now, null, { ...state, prompt: 'address: 0x7', page: ['CPU   0x7000'] }, size);
    expect(asking.at(-1)).toBe('address: 0x7');
    expect(asking).toContain('CPU   0x7000');
    const help = topLines(now, null, { ...state, help: true }, size);
    expect(help).toContain('  s  step: one operation of each task, while paused');
  });

  it('fits on the screen, whatever there is to say', () => {
    const now = snapshot(1000, 1, 1);
    const many = { ...now, actors: Array.from({ length: 99 }, () => now.actors[0]) };
    const lines = topLines(many, null, { ...state, message: 'stepped' }, { columns: 20, rows: 10 });
    expect(lines.length).toBe(10);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(20);
    expect(lines.at(-1)).toBe('stepped');
  });
});

describe('a snapshot in words', () => {
  it('names every actor, who waits for what, and the locks', () => {
    expect(snapshotText(snapshot(1500, 3000, 0), 'wall').split('\n')).toEqual([
      'svmsim: snapshot after 1.5s wall, running',
      'Actor        State  Steps  Sent  To receive',
      'coordinator  R      3,000     0           0',
      'gpu0         W          0     3       1,200',
      'Who waits for what:',
      '  coordinator: fault#7 waits for mmap_lock',
      'Locks:',
      '  mmap_lock of mm 1: write by munmap#2; waiting: fault#7, fault#9',
      '  notifier lock: free; waiting: zap#1',
      '',
    ]);
  });
});
