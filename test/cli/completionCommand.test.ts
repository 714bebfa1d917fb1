/** Shell completion, as the shell asks for it. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { FakeHost } from './fakeHost.js';

let printed: string;
beforeEach(() => {
  printed = '';
  // The library prints by itself, since a shell reads it.
  vi.spyOn(console, 'log').mockImplementation((text: string) => {
    printed += `${text}\n`;
  });
});
afterEach(() => vi.restoreAllMocks());

async function completed(...words: string[]): Promise<string[]> {
  await runCli(['complete', '--', ...words], new FakeHost());
  return printed.split('\n').map((line) => line.split('\t')[0]);
}

describe('completion', () => {
  it('offers every command', async () => {
    expect(await completed('')).toEqual(expect.arrayContaining(['run', 'stress', 'bench', 'case', 'init']));
  });

  it('offers the options of a command', async () => {
    expect(await completed('run', '--')).toEqual(expect.arrayContaining(['--executor', '--seed', '--set']));
  });

  it('offers the values of an option', async () => {
    expect(await completed('run', '--executor', '')).toEqual(expect.arrayContaining(['virtual', 'threads']));
  });

  it('offers the scenarios that come with svmsim', async () => {
    expect(await completed('run', '')).toEqual(expect.arrayContaining(['n1-mirror', 'stress']));
  });

  it.each(['bash', 'zsh', 'fish'])('prints a script for %s', async (shell) => {
    expect(await runCli(['completion', shell], new FakeHost())).toBe(0);
    expect(printed).toContain('svmsim');
  });

  it('refuses a shell that it does not know', async () => {
    const host = new FakeHost();
    expect(await runCli(['completion', 'cmd.exe'], host)).toBe(2);
    expect(host.stderr.text).toContain('zsh');
  });
});
