/** The workloads that compute, on a flat address space: results, and what memory must hold whenever the run rests. */

import { describe, expect, it } from 'vitest';
import { bufferBase } from '../../src/workload/workload.js';
import type { WorkloadConfig } from '../../src/workload/workloadConfig.js';
import { FlatMachine } from './flatMachine.js';

const saxpy: WorkloadConfig = { kind: 'saxpy', name: 'saxpy', elements: 5000, rounds: 3 };
const jacobi: WorkloadConfig = { kind: 'jacobi', name: 'jacobi', rows: 21, columns: 300, iterations: 4 };
/** Rows longer than a page. */
const wideJacobi: WorkloadConfig = { kind: 'jacobi', name: 'wide', rows: 7, columns: 2500, iterations: 3 };
const histogram: WorkloadConfig = { kind: 'histogram', name: 'histogram', samples: 6000, bins: 2100 };
const all = [saxpy, jacobi, wideJacobi, histogram];

describe.each(all)('$name', (config) => {
  it('computes what one thread computes, in a plain memory', () => {
    const machine = new FlatMachine([config]);
    expect(machine.finish()).toMatchObject([
      { workload: config.name, ok: true, counts: { mismatchedPages: 0 } },
    ]);
    expect(machine.violations()).toEqual([]);
  });

  it('has every byte known whenever the run rests, also with faults on the way', () => {
    const machine = new FlatMachine([config], { spurious: 0.2, seed: 3 });
    expect(machine.runVerified(37)).toEqual([]);
    expect(machine.results).toMatchObject([{ ok: true }]);
  });

  it('works with more contexts than work', () => {
    const machine = new FlatMachine([config], { devices: 7, contexts: 5 });
    expect(machine.runVerified(1000)).toEqual([]);
    expect(machine.results).toMatchObject([{ ok: true }]);
  });

  it('ends early when it is stopped, wherever it is, and what was done is still known', () => {
    for (const steps of [0, 3, 40, 60, 90, 150]) {
      const machine = new FlatMachine([config], { seed: 5 });
      machine.runToQuiescence(steps);
      machine.stop();
      machine.resume();
      expect(machine.finish()).toMatchObject([{ ok: true }]);
      expect(machine.violations()).toEqual([]);
    }
  });

  it('says so when it was stopped before it did anything', () => {
    const machine = new FlatMachine([config], { seed: 5 });
    machine.stop();
    expect(machine.finish()).toMatchObject([{ ok: true, isEmpty: true }]);
    expect(new FlatMachine([config], { seed: 5 }).finish()[0]).not.toHaveProperty('isEmpty');
  });

  it('says so when a device is refused', () => {
    const machine = new FlatMachine([config], { refused: 1 });
    const [result] = machine.finish();
    expect(result).toMatchObject({ ok: false });
    expect(result?.detail).toMatch(/phase 0 on the devices gives -E(FAULT|PERM)/);
    expect(machine.violations()).toEqual([]);
  });

  it('stays exact in the middle of a kernel that was refused', () => {
    const machine = new FlatMachine([config], { refused: 0.1, spurious: 0.5, seed: 9 });
    expect(machine.runVerified(50)).toEqual([]);
    expect(machine.results).toMatchObject([{ ok: false }]);
  });

  it('finds one flipped bit anywhere, at any time', () => {
    const machine = new FlatMachine([config], { seed: 11 });
    for (let rest = 0; machine.runToQuiescence(rest === 0 ? 100 : 90); rest++) {
      for (const { start, npages } of machine.expectations(0)) {
        const page = start + (rest % npages);
        const words = machine.space.wordsOf(page);
        if (words === null) continue;
        const at = (rest * 97) % words.length;
        words[at] ^= 1 << (rest % 31);
        expect(machine.violations()).toHaveLength(1);
        words[at] ^= 1 << (rest % 31);
      }
      machine.resume();
    }
    expect(machine.violations()).toEqual([]);
  });

  it('finds a page that is as it was before', () => {
    const machine = new FlatMachine([config], { seed: 13 });
    const before = new Map<number, Int32Array>();
    let stale = 0;
    while (machine.runToQuiescence(25)) {
      const pages = machine.expectations(0).flatMap(({ start, npages }) => span(start, npages));
      for (const page of pages) {
        const words = machine.space.wordsOf(page);
        const old = before.get(page);
        if (words === null) continue;
        const now = words.slice();
        if (old?.some((word, i) => word !== now[i])) {
          words.set(old);
          expect(machine.violations()).toHaveLength(1);
          words.set(now);
          stale++;
        }
        before.set(page, now);
      }
      machine.resume();
    }
    expect(stale).toBeGreaterThan(2);
  });

  it('finds stores that went nowhere, both ways', () => {
    const machine = new FlatMachine([config], { bug: 'storeIsLost' });
    expect(machine.finish()).toMatchObject([{ ok: false }]);
    expect(machine.violations()).not.toEqual([]);
  });
});

describe('several at once', () => {
  it('do not get in one another’s way', () => {
    const machine = new FlatMachine(all, { spurious: 0.1 });
    expect(machine.runVerified(500)).toEqual([]);
    expect(machine.results.map((result) => result?.ok)).toEqual([true, true, true, true]);
  });

  it('give the same run for the same seed', () => {
    const run = (seed: number) => {
      const machine = new FlatMachine(all, { seed, spurious: 0.1 });
      const results = machine.finish();
      return { results, steps: machine.sched.steps, progress: all.map((_, i) => machine.progressOf(i)) };
    };
    expect(run(4)).toEqual(run(4));
    expect(run(4).steps).not.toBe(run(5).steps);
  });

  it('says that a buffer is in the way of another mapping', () => {
    const machine = new FlatMachine([saxpy]);
    const mapped = machine.space.mmap(bufferBase(0), 1, 3, 0);
    while (!mapped.next().done);
    expect(machine.finish()).toMatchObject([{ ok: false, detail: 'preparing its buffers gives -EEXIST' }]);
  });
});

function span(start: number, npages: number): number[] {
  return Array.from({ length: npages }, (_, i) => start + i);
}
