/** The line that is written over while a run goes on. */

import { describe, expect, it } from 'vitest';
import { condensedLetters, StatusLine, statusText } from '../../src/report/statusLine.js';
import type { RunProgress } from '../../src/simulation/runReport.js';

const NO_RATES = { faultsPerSecond: 0, migrationsPerSecond: 0, bytesPerSecond: 0, loadsPerSecond: [] };

function progress(changes: Partial<RunProgress> = {}): RunProgress {
  return {
    phase: 'running',
    elapsedMs: 12_000,
    remainingMs: 8000,
    actors: actors('RRRRRWW'),
    counters: {},
    loads: [],
    violation: null,
    ...changes,
  };
}

function actors(letters: string) {
  return [...letters].map((letter, i) => ({ name: `actor${i}`, letter, steps: 0 }));
}

class Terminal {
  readonly written: string[] = [];
  constructor(
    readonly isTTY = true,
    readonly columns = 200,
  ) {}
  write(text: string): void {
    this.written.push(text);
  }
}

describe('condensedLetters', () => {
  it('counts equal neighbours', () => {
    expect(condensedLetters(actors('RRRRWRRF'))).toBe('R(4),W(1),R(2),F(1)');
    expect(condensedLetters(actors('X'))).toBe('X(1)');
    expect(condensedLetters([])).toBe('');
  });
});

describe('statusText', () => {
  it('shows letters, share, rates and times', () => {
    const rates = { ...NO_RATES, faultsPerSecond: 12_345, migrationsPerSecond: 1200, bytesPerSecond: 812e6 };
    expect(statusText(progress(), rates, 'wall')).toBe(
      '[wall: 00m:12s, eta 00m:08s, 12.3k faults/s, 1.2k migrations/s, 812MB/s to VRAM][60%][R(5),W(2)]',
    );
  });

  it('shows how often each load comes, and first of all what was found broken', () => {
    const rates = {
      ...NO_RATES,
      loadsPerSecond: [
        ['munmap', 203.4],
        ['fork', 9.9],
      ],
    } as const;
    expect(statusText(progress({ violation: 'M2: gpu0 maps what the CPU does not' }), rates, 'wall')).toBe(
      '[broken: M2: gpu0 maps what the CPU does not][wall: 00m:12s, eta 00m:08s, 0 faults/s, 0 migrations/s, 0B/s to VRAM][60%][R(5),W(2)][munmap 203/s, fork 9.9/s wall]',
    );
  });

  it('has neither share nor eta where only work ends the run', () => {
    expect(statusText(progress({ remainingMs: null }), NO_RATES, 'wall')).toBe(
      '[wall: 00m:12s, 0 faults/s, 0 migrations/s, 0B/s to VRAM][R(5),W(2)]',
    );
  });

  it('names any phase but the usual one, and simulated time as such', () => {
    expect(
      statusText(progress({ phase: 'verifying', elapsedMs: 1.5, remainingMs: null }), NO_RATES, 'simulated'),
    ).toBe('verifying [simulated: 1.5ms, 0 faults/s, 0 migrations/s, 0B/s to VRAM][R(5),W(2)]');
  });
});

describe('StatusLine', () => {
  it('shows on 80 columns what is broken, the clock, the time and the time left', () => {
    const terminal = new Terminal(true, 80);
    const violation = `I4: page 0x200c0003a000: ${'the TLB of gpu0 has what its table has not '.repeat(3)}\nlast events:`;
    new StatusLine(terminal, false, 'simulated').update(progress({ phase: 'ending', violation }));
    expect(terminal.written[0]).toContain(
      'ending [broken: I4: page 0x200c0003a0...][simulated: 12s, eta 8s, ',
    );
  });

  it('writes over itself, cut to the terminal, and clears itself', () => {
    const terminal = new Terminal(true, 10);
    const line = new StatusLine(terminal, false);
    line.update(progress());
    line.clear();
    line.clear();
    expect(terminal.written).toEqual(['\r[wall: 00\x1b[K', '\r\x1b[K']);
  });

  it('is silent in a pipe and when quiet', () => {
    for (const [terminal, quiet] of [
      [new Terminal(false), false] as const,
      [new Terminal(), true] as const,
    ]) {
      const line = new StatusLine(terminal, quiet);
      line.update(progress());
      line.show('text');
      line.clear();
      expect(terminal.written).toEqual([]);
    }
  });

  it('notes what must be seen in any case', () => {
    const pipe = new Terminal(false);
    new StatusLine(pipe, true).note('stopping');
    const terminal = new Terminal();
    const line = new StatusLine(terminal, false);
    line.show('text');
    line.note('stopping');
    expect([pipe.written, terminal.written]).toEqual([
      ['stopping\n'],
      ['\rtext\x1b[K', '\r\x1b[K', 'stopping\n'],
    ]);
  });

  it('makes rates from what was added since the last sample', () => {
    const terminal = new Terminal();
    const line = new StatusLine(terminal, false);
    const at = (elapsedMs: number, faults: number): string => {
      const counters = {
        svm_pagefault_count: faults,
        svm_migrate_count: 2 * faults,
        svm_device_copy_kb: faults,
      };
      line.update(progress({ elapsedMs, counters, remainingMs: null }));
      return terminal.written.at(-1)?.match(/s, (.*?)\]/)?.[1] ?? '';
    };
    expect(at(1000, 100)).toBe('100 faults/s, 200 migrations/s, 102kB/s to VRAM');
    // Too short an interval to say anything new.
    expect(at(1100, 200)).toBe('100 faults/s, 200 migrations/s, 102kB/s to VRAM');
    expect(at(2000, 400)).toBe('300 faults/s, 600 migrations/s, 307kB/s to VRAM');
  });

  it('takes any interval of simulated time', () => {
    const terminal = new Terminal();
    const line = new StatusLine(terminal, false, 'simulated');
    line.update(progress({ elapsedMs: 2, remainingMs: null, counters: { svm_pagefault_count: 100 } }));
    expect(terminal.written[0]).toContain('[simulated: 2ms, 50k faults/s, 0 migrations/s, 0B/s to VRAM]');
  });
});
