/** `svmsim top`: what keys mean, what is done for them, and what is said where there is no terminal. */

import { beforeEach, describe, expect, it } from 'vitest';
import type { Screen } from '../../src/cli/cliHost.js';
import { runCli } from '../../src/cli/program.js';
import { TopKeyboard } from '../../src/cli/topKeyboard.js';
import type { LiveRun, LiveSnapshot } from '../../src/simulation/liveRun.js';
import { runReport } from '../report/fixtures.js';
import { FakeHost } from './fakeHost.js';

class FakeScreen implements Screen {
  readonly size = { columns: 100, rows: 30 };
  lines: readonly string[] = [];
  isOpen = false;
  key: (key: string) => void = () => {};

  open(): void {
    this.isOpen = true;
  }

  draw(lines: readonly string[]): void {
    this.lines = lines;
  }

  close(): void {
    this.isOpen = false;
  }

  onKey(listener: (key: string) => void): () => void {
    this.key = listener;
    return () => {
      this.key = () => {};
    };
  }
}

/** Writes down what it is told to do. */
class FakeLive implements LiveRun {
  readonly told: string[] = [];
  isHeld = false;

  async snapshot(): Promise<LiveSnapshot> {
    return {
      phase: this.isHeld ? 'paused' : 'running',
      elapsedMs: 1000,
      actors: [],
      locks: [],
      counters: {},
      devices: [],
    };
  }

  pause(): void {
    this.told.push('pause');
    this.isHeld = true;
  }

  resume(): void {
    this.told.push('resume');
    this.isHeld = false;
  }

  async step(): Promise<void> {
    this.told.push('step');
  }

  async inspect(page: number, process: number): Promise<readonly string[]> {
    this.told.push(`inspect ${page} of ${process}`);
    return this.isHeld ? ['CPU   there'] : [];
  }
}

describe('keys', () => {
  it.each([
    [['q'], { kind: 'quit' }],
    [['\u0003'], { kind: 'quit' }],
    [['p'], { kind: 'pause' }],
    [[' '], { kind: 'pause' }],
    [['c'], { kind: 'continue' }],
    [['s'], { kind: 'step' }],
    [['h'], { kind: 'help' }],
    [['x'], { kind: 'none' }],
    [['\u001b[A'], { kind: 'none' }],
    [['i', ...'0x7f0000001234', '\r'], { kind: 'inspect', page: 0x7f0000001, process: 1 }],
    [['i', ...'1000@2', '\r'], { kind: 'inspect', page: 1, process: 2 }],
    [['i', ...'10x', '\u007f', '00', '\r'], { kind: 'inspect', page: 1, process: 1 }],
    [
      ['i', ...'here', '\r'],
      { kind: 'wrong', message: 'found here, allowed: an address such as 0x7f0000001000' },
    ],
    [['i', '1', '\u001b', 'q'], { kind: 'quit' }],
  ])('%j', (keys, expected) => {
    const keyboard = new TopKeyboard();
    const actions = keys.map((key) => keyboard.press(key));
    expect(actions.at(-1)).toEqual(expected);
    expect(keyboard.prompt).toBeNull();
  });

  it('show what is typed', () => {
    const keyboard = new TopKeyboard();
    for (const key of ['i', '0', 'x', '7']) keyboard.press(key);
    expect(keyboard.prompt).toMatch(/: 0x7$/);
  });
});

describe('svmsim top', () => {
  let host: FakeHost;
  let screen: FakeScreen;
  let live: FakeLive;

  beforeEach(() => {
    host = new FakeHost();
    screen = new FakeScreen();
    live = new FakeLive();
    host.terminal = screen;
  });

  /** Keys are pressed one by one, and what they lead to is done before the next. */
  async function press(...keys: string[]): Promise<void> {
    for (const key of keys) {
      screen.key(key);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it('pauses, steps, looks at a page and goes on as keys say, and prints the result at the end', async () => {
    host.run = async (_config, { onLive }) => {
      onLive?.(live);
      await press('s', 'p', 's', 'i', '1', '0', '0', '0', '\r');
      expect(screen.lines.join('\n')).toContain('CPU   there');
      expect(screen.lines[0]).toContain('paused');
      await press('c');
      expect(screen.isOpen).toBe(true);
      return runReport();
    };
    expect(await runCli(['top'], host)).toBe(0);
    expect(live.told).toEqual(['step', 'pause', 'step', 'inspect 1 of 1', 'resume']);
    expect(screen.isOpen).toBe(false);
    expect(host.stdout.text).toContain('PASSED');
  });

  it('ends the run with q', async () => {
    host.run = async (_config, { onLive, signal }) => {
      onLive?.(live);
      await press('q');
      return runReport({ outcome: signal?.aborted === true ? 'interrupted' : 'completed' });
    };
    expect(await runCli(['top'], host)).toBe(130);
    expect(screen.isOpen).toBe(false);
  });

  it('gives the terminal back when the run fails', async () => {
    host.run = async (_config, { onLive }) => {
      onLive?.(live);
      throw new Error('it broke');
    };
    expect(await runCli(['top'], host)).toBe(3);
    expect(screen.isOpen).toBe(false);
  });

  it('says one thing where there is no terminal, and where there are no threads to be watched', async () => {
    host.terminal = null;
    expect(await runCli(['top'], host)).toBe(2);
    expect(host.stderr.text).toMatch(
      /^svmsim: top: found input or output that is no terminal, allowed: a terminal;.*\n$/,
    );
    const second = new FakeHost();
    second.terminal = screen;
    expect(await runCli(['top', '--executor', 'virtual'], second)).toBe(2);
    expect(second.stderr.text).toContain('--executor virtual: found virtual, allowed: threads');
  });
});

describe('a question while a run goes on', () => {
  it('is answered on standard error with what every actor does', async () => {
    const host = new FakeHost();
    host.run = async (_config, { onLive }) => {
      for (const ask of host.questioned) ask();
      onLive?.(new FakeLive());
      for (const ask of host.questioned) ask();
      await new Promise((resolve) => setImmediate(resolve));
      return runReport();
    };
    expect(await runCli(['run'], host)).toBe(0);
    expect(host.stderr.text).toContain('svmsim: the run has not begun');
    expect(host.stderr.text).toContain('svmsim: snapshot after 1s wall, running');
    expect(host.questioned.size).toBe(0);
  });
});
