/** Workloads whose stores race with calls that take memory away, on a flat address space that works, faults, refuses, or is wrong. */

import { describe, expect, it } from 'vitest';
import { parseStrace } from '../../src/workload/trace/parseStrace.js';
import type { WorkloadConfig } from '../../src/workload/workloadConfig.js';
import { FlatMachine } from './flatMachine.js';
import type { FlatBug } from './flatSpace.js';

const invalidate: WorkloadConfig = {
  kind: 'invalidate',
  name: 'invalidate',
  pages: 12,
  calls: ['munmap', 'mprotect', 'madvise', 'mremap'],
  spanPages: 5,
  operations: 150,
  pauseUs: 0,
  launchAccesses: 64,
};

const pattern: WorkloadConfig = {
  kind: 'pattern',
  name: 'pattern',
  pattern: 'zipf',
  pages: 20,
  stridePages: 4,
  readRatio: 0.5,
  sharing: 'shared',
  accesses: 40,
  rounds: 4,
  cpu: true,
};

/** Every kind of call, with a heap, a reservation that is opened piece by piece, moves, and threads. */
const program = `
10 1.000000 execve("./a", ["./a"], 0x7ffc /* 0 vars */) = 0
10 1.000100 brk(NULL) = 0x55d000000000
10 1.000200 brk(0x55d000021000) = 0x55d000021000
10 1.000300 mmap(NULL, 65536, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000100000
10 1.000400 mmap(NULL, 32768, PROT_READ, MAP_PRIVATE, 3, 0) = 0x7f0000200000
10 1.000500 mmap(NULL, 1048576, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, -1, 0) = 0x7f0000300000
10 1.000600 mprotect(0x7f0000300000, 131072, PROT_READ|PROT_WRITE) = 0
10 1.000700 mprotect(0x7effffff0000, 8192, PROT_READ) = 0
10 1.000800 madvise(0x7f0000100000, 32768, MADV_DONTNEED) = 0
10 1.000900 madvise(0x7f0000100000, 32768, MADV_HUGEPAGE) = 0
10 1.001000 mremap(0x7f0000100000, 65536, 131072, MREMAP_MAYMOVE) = 0x7f0000500000
10 1.001100 mremap(0x7f0000500000, 131072, 65536, 0) = 0x7f0000500000
10 1.001200 munmap(0x7f0000001000, 4096) = -1 EINVAL (Invalid argument)
10 1.001300 mmap(NULL, 65536, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000100000
10 1.001400 mremap(0x7f0000500000, 65536, 65536, MREMAP_MAYMOVE|MREMAP_FIXED, 0x7f0000100000) = 0x7f0000100000
10 1.001500 brk(0x55d000010000) = 0x55d000010000
10 1.001600 mprotect(0x7f0000310000, 4096, PROT_READ) = 0
10 1.001700 munmap(0x7f0000300000, 1048576) = 0
10 1.001800 mremap(0x7f0000100000, 65536, 65536, MREMAP_MAYMOVE|MREMAP_DONTUNMAP) = 0x7f0000700000
10 1.001900 munmap(0x7f0000700000, 65536) = 0
10 1.001950 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = ?
10 1.002000 exit_group(0) = ?
10 1.002100 +++ exited with 0 +++
`.trimStart();

const trace: WorkloadConfig = {
  kind: 'trace',
  name: 'trace',
  trace: parseStrace(program, 'program.strace'),
  touchPages: 4,
  deviceAccesses: 60,
};

const replays: WorkloadConfig = { ...trace, name: 'replays', rounds: 3 };
const verified: WorkloadConfig = { ...invalidate, name: 'verified', operations: 60, verifiesCalls: true };

const all = [invalidate, pattern, trace, replays, verified];

describe.each(all)('$name', (config) => {
  it('has every word known whenever the run rests', () => {
    for (let seed = 1; seed <= 4; seed++) {
      const machine = new FlatMachine([config], { seed, spurious: 0.2 });
      expect(machine.runVerified(100 + seed)).toEqual([]);
      expect(machine.results).toMatchObject([{ ok: true, counts: { violations: 0 } }]);
    }
  });

  it('finds one flipped bit anywhere, at any time', () => {
    const machine = new FlatMachine([config], { seed: 21 });
    let flips = 0;
    while (machine.runToQuiescence(300)) {
      for (const { start, npages } of machine.expectations(0)) {
        for (let page = start as number; page < start + npages; page++) {
          const words = machine.space.wordsOf(page);
          if (words === null) continue;
          // Mostly in words that have an owner.
          const at = flips % 3 === 0 ? (flips * 31) % words.length : flips % 8;
          words[at] ^= 1 << (flips % 31);
          expect(machine.violations()).toHaveLength(1);
          words[at] ^= 1 << (flips % 31);
          flips++;
        }
      }
      machine.resume();
    }
    expect(flips).toBeGreaterThan(20);
  });

  it('gives the same run for the same seed', () => {
    const run = (seed: number) => {
      const machine = new FlatMachine([config], { seed, spurious: 0.1 });
      return { results: machine.finish(), steps: machine.sched.steps, progress: machine.progressOf(0) };
    };
    expect(run(4)).toEqual(run(4));
    expect(run(4).steps).not.toBe(run(5).steps);
  });
});

describe('refused accesses of devices', () => {
  it.each([invalidate, trace])('are tolerated and counted: $name', (config) => {
    const machine = new FlatMachine([config], { refused: 0.3, spurious: 0.3 });
    expect(machine.runVerified(200)).toEqual([]);
    expect(machine.results).toMatchObject([{ ok: true }]);
    const refused = machine
      .progressOf(0)
      .map(({ progress }) => (progress.ghost as { refused: number }).refused);
    expect(Math.max(...refused)).toBeGreaterThan(5);
    expect(refused[0]).toBe(0);
  });

  it('are an error where nothing takes memory away', () => {
    const machine = new FlatMachine([pattern], { refused: 0.05, spurious: 0.3 });
    expect(machine.runVerified(200)).toEqual([]);
    expect(machine.results).toMatchObject([{ ok: false, detail: 'round 0 gives -EFAULT' }]);
  });
});

describe('wrong behaviour is found', () => {
  /** By what is expected of memory, which includes what loads have met. */
  function finds(config: WorkloadConfig, bug: FlatBug): boolean {
    for (let seed = 1; seed <= 5; seed++) {
      if (new FlatMachine([config], { seed, bug }).runVerified(500).length > 0) return true;
    }
    return false;
  }

  it.each<FlatBug>([
    'dropKeepsPage',
    'unmapKeepsPage',
    'moveLosesPage',
    'protectLosesPage',
    'moveBringsOldPage',
    'storeIsLost',
  ])('invalidate: %s', (bug) => {
    expect(finds(invalidate, bug)).toBe(true);
  });

  it.each<FlatBug>(['dropKeepsPage', 'moveLosesPage', 'unmapKeepsPage', 'storeIsLost'])(
    'trace: %s',
    (bug) => {
      expect(finds(trace, bug)).toBe(true);
    },
  );

  it('pattern: any word that was stored and is zero when the run rests', () => {
    const machine = new FlatMachine([pattern], { seed: 21 });
    expect(machine.runToQuiescence(1000)).toBe(true);
    let zeroed = 0;
    for (const { start, npages } of machine.expectations(0)) {
      for (let page = start as number; page < start + npages; page++) {
        const words = machine.space.wordsOf(page);
        for (const [at, word] of words?.subarray(0, 8).entries() ?? []) {
          if (words === null || word === 0) continue;
          words[at] = 0;
          expect(machine.violations()).toEqual([expect.stringContaining('is 0x0, must be')]);
          words[at] = word;
          zeroed++;
        }
      }
    }
    expect(zeroed).toBeGreaterThan(20);
  });

  it('pattern: storeIsLost', () => {
    expect(finds(pattern, 'storeIsLost')).toBe(true);
  });

  it('is found by loads alone, before anybody looks at all of memory', () => {
    const machine = new FlatMachine([{ ...invalidate, operations: 400 }], { bug: 'dropKeepsPage' });
    const [result] = machine.finish();
    const { counts, detail } = result ?? { counts: {}, detail: '' };
    expect(counts.violations).toBeGreaterThan(0);
    expect(detail).toMatch(/load by the CPU thread: .*threw .*away/);
    const found = machine.violations();
    expect(found.some((wrong) => wrong.includes('load by device'))).toBe(true);
    expect(found.some((wrong) => wrong.endsWith(detail.slice(detail.indexOf('load by'))))).toBe(true);
  });
});

describe('the pattern workload', () => {
  it('stores nothing with a read ratio of 1, and loads nothing with 0', () => {
    for (const readRatio of [0, 1]) {
      const machine = new FlatMachine([{ ...pattern, readRatio, cpu: false }]);
      machine.finish();
      const [, first] = machine.progressOf(0);
      const expected = { stores: readRatio === 0 ? 480 : 0, loads: readRatio === 0 ? 0 : 480 };
      expect(first?.progress.ghost).toMatchObject(expected);
    }
  });

  it('has the CPU thread load and store by the same ratio', () => {
    for (const readRatio of [0, 1]) {
      const machine = new FlatMachine([{ ...pattern, readRatio }]);
      machine.finish();
      const [cpu] = machine.progressOf(0);
      // It reads each page back at the end.
      const expected = { stores: readRatio === 0 ? 160 : 0, loads: (readRatio === 0 ? 0 : 160) + 20 };
      expect(cpu?.progress.ghost).toMatchObject(expected);
    }
  });

  it('gives each actor pages of its own when partitioned', () => {
    const machine = new FlatMachine([{ ...pattern, sharing: 'partitioned', pages: 21 }], { contexts: 3 });
    expect(machine.runVerified(1000)).toEqual([]);
    const writers = new Map<number, Set<number>>();
    for (const { device, progress } of machine.progressOf(0)) {
      const { own, contexts, firstActor } = progress.ghost as {
        own: { keys: Float64Array };
        contexts: number;
        firstActor: number;
      };
      expect(firstActor).toBe(device < 0 ? 0 : 1 + device * 3);
      for (const key of own.keys) {
        const page = Math.floor(key / contexts);
        writers.set(page, (writers.get(page) ?? new Set()).add(firstActor + (key % contexts)));
      }
    }
    expect([...writers.values()].every((actors) => actors.size === 1)).toBe(true);
    expect(new Set([...writers.values()].flatMap((actors) => [...actors])).size).toBe(7);
  });

  it('runs until it is stopped when it has no end', () => {
    const machine = new FlatMachine([{ ...pattern, rounds: Number.POSITIVE_INFINITY }]);
    expect(machine.runToQuiescence(5000)).toBe(true);
    machine.stop();
    machine.resume();
    expect(machine.finish()).toMatchObject([{ ok: true }]);
    expect(machine.violations()).toEqual([]);
  });

  it('does not lose a refused access because the run ends', () => {
    const machine = new FlatMachine([{ ...pattern, rounds: Number.POSITIVE_INFINITY, accesses: 100_000 }], {
      refused: 0.05,
    });
    machine.runToQuiescence(2000);
    machine.stop();
    machine.resume();
    expect(machine.finish()).toMatchObject([{ ok: false }]);
  });

  it('counts the rounds that it has made, and says where the last one was cut off', () => {
    const machine = new FlatMachine([{ ...pattern, rounds: Number.POSITIVE_INFINITY, accesses: 100_000 }]);
    expect(machine.runToQuiescence(500)).toBe(true);
    machine.stop();
    machine.resume();
    const [result] = machine.finish();
    expect(result).toMatchObject({ ok: true, counts: { rounds: 0 } });
    expect(result?.isEmpty).toBeUndefined();
    expect(result?.detail).toBe('0 rounds and part of one of 100000 zipf accesses on 20 pages');
  });

  it('works with more actors than a page has words', () => {
    const config: WorkloadConfig = { ...pattern, accesses: 2, rounds: 2, pages: 7 };
    const machine = new FlatMachine([config], { devices: 4, contexts: 600, frames: 64 });
    expect(machine.runVerified(4000)).toEqual([]);
    expect(machine.results).toMatchObject([{ ok: true }]);
  });
});

describe('the invalidation load', () => {
  it('says so when it was stopped before its first call', () => {
    const machine = new FlatMachine([invalidate]);
    machine.stop();
    expect(machine.finish()).toMatchObject([{ ok: true, counts: { calls: 0 }, isEmpty: true }]);
  });

  it('makes as many calls as it is told, and pauses between them on the clock', () => {
    const machine = new FlatMachine([{ ...invalidate, operations: 5, pauseUs: 1100 }], {
      devices: 1,
      contexts: 1,
    });
    expect(machine.finish()).toMatchObject([{ ok: true, counts: { calls: 5, failed: 0 } }]);
    expect(machine.sched.now()).toBeGreaterThanOrEqual(5 * 1_100_000);
  });

  it('runs until it is stopped when it has no end', () => {
    const machine = new FlatMachine([{ ...invalidate, operations: Number.POSITIVE_INFINITY }]);
    expect(machine.runToQuiescence(5000)).toBe(true);
    machine.stop();
    machine.resume();
    expect(machine.finish()).toMatchObject([{ ok: true }]);
    expect(machine.violations()).toEqual([]);
  });

  it('launches the devices again and again while it calls', () => {
    const machine = new FlatMachine([invalidate]);
    machine.finish();
    expect(machine.launches).toBeGreaterThan(2);
  });
});

describe('the replay of a recorded program', () => {
  it('tells what it did', () => {
    const machine = new FlatMachine([trace]);
    const [result] = machine.finish();
    expect(result).toMatchObject({ ok: true });
    expect(result?.detail).toBe(
      '16 calls of program.strace as recorded; 1 file or shared mappings made private, 3 calls without effect and 1 failed ones left out; 1 without a result left out',
    );
  });

  it('tells rounds from calls, and what it did of the last one', () => {
    const twice = new FlatMachine([{ ...trace, rounds: 2 } as WorkloadConfig]);
    expect(twice.finish()[0]?.detail).toMatch(/^2 rounds of 16 calls of program/);
    const details = new Set<string>();
    for (let steps = 200; steps < 4000; steps += 100) {
      const machine = new FlatMachine([{ ...trace, rounds: 100 } as WorkloadConfig]);
      machine.runToQuiescence(steps);
      machine.stop();
      machine.resume();
      const [result] = machine.finish();
      expect(result).toMatchObject({ ok: true });
      details.add((result?.detail ?? '').split(' of program')[0]);
    }
    expect([...details].some((detail) => /^\d+ of 16 calls$/.test(detail))).toBe(true);
    expect(
      [...details].some((detail) => /^\d+ rounds? of 16 calls, and \d+ of the next,$/.test(detail)),
    ).toBe(true);
  });

  it('accesses what the program could access and nothing else, with more contexts of devices than a page has words', () => {
    // The lower page is mapped when the upper one has been accessed long since.
    const upperFirst = `
10 1.000100 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000100000
10 1.000200 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000
`.trimStart();
    const config: WorkloadConfig = {
      ...trace,
      trace: parseStrace(upperFirst, 'two.strace'),
      deviceAccesses: 1,
    };
    const machine = new FlatMachine([config], { contexts: 700 });
    expect(machine.finish()).toMatchObject([{ ok: true, counts: { stores: 2, violations: 0 } }]);
  });

  it('says which call of which line went otherwise', () => {
    const machine = new FlatMachine([trace]);
    machine.space.mprotect = function* () {
      return -12;
    };
    expect(machine.finish()).toMatchObject([
      { ok: false, detail: 'program.strace line 7, protect: recorded 0, replayed -ENOMEM' },
    ]);
  });
});
