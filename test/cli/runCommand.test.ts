/** `svmsim run` and `svmsim stress`: what they load, run and print. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { runReport } from '../report/fixtures.js';
import { FakeHost } from './fakeHost.js';

let host: FakeHost;
let directory: string;
beforeEach(() => {
  host = new FakeHost();
  directory = mkdtempSync(join(tmpdir(), 'svmsim-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

describe('run', () => {
  it('loads the scenario with everything that was typed over it', async () => {
    const typed = ['--seed', '3', '--devices', '2', '--layout', 'one-to-one', '--executor', 'virtual'];
    expect(await runCli(['run', 'stress', ...typed, '--set', 'a.b=1', '--set', 'c=2'], host)).toBe(0);
    expect(host.loaded).toHaveLength(1);
    expect(host.loaded[0].path).toMatch(/config\/stress\.yaml$/);
    expect(host.loaded[0].overrides).toMatchObject({
      seed: '3',
      devices: '2',
      layout: 'one-to-one',
      executor: 'virtual',
      set: ['a.b=1', 'c=2'],
    });
  });

  it('takes the N:1 scenario where none is named, and runs what was loaded', async () => {
    await runCli(['run'], host);
    expect(host.loaded[0].path).toMatch(/config\/n1-mirror\.yaml$/);
    expect(host.runs[0].config).toBe(host.config);
    expect(host.runs[0].options.verifyEveryMs).toBeUndefined();
  });

  it('prints the summary on standard output and nothing else anywhere', async () => {
    await runCli(['run'], host);
    expect(host.stdout.text).toMatch(/^n1-mirror: 2 devices, layout n1, executor threads, seed 7\n/);
    expect(host.stdout.text).toMatch(/\nPASSED: 2 checks held, 2 workloads verified\n$/);
    expect(host.stderr.text).toBe('');
  });

  it('prints nothing but one document with --json -', async () => {
    expect(await runCli(['run', '--json', '-'], host)).toBe(0);
    expect(JSON.parse(host.stdout.text)).toMatchObject({ command: 'run', scenario: 'n1-mirror', ok: true });
  });

  it('writes a document beside the table with --json FILE', async () => {
    const file = join(directory, 'run.json');
    expect(await runCli(['run', '--json', file], host)).toBe(0);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ command: 'run', ok: true });
    expect(host.stdout.text).toContain('PASSED');
  });

  it.each([
    ['in a directory that is not there', 'no/where.json', 'no such directory'],
    ['that is a directory', '.', 'a directory'],
  ])('refuses a document %s before it runs', async (_, file, found) => {
    expect(await runCli(['run', '--json', join(directory, file)], host)).toBe(2);
    expect(host.stderr.text).toContain(`--json ${join(directory, file)}: found ${found}`);
    expect(host.runs).toEqual([]);
  });

  it('names a command line for a failed run that needs nothing but itself', async () => {
    host.run = async () => runReport({ checks: [{ name: 'content', ok: false, detail: 'lost' }] });
    await runCli(['run', '--devices', '2', '--set', "svm.chunks=[2MiB, 'x']"], host);
    expect(host.stdout.text).toMatch(
      /\nAgain: svmsim run \S*config\/n1-mirror\.yaml --executor threads --seed 7 --devices 2 --set 'svm\.chunks=\[2MiB, '\\''x'\\''\]'\n$/,
    );
  });

  it('colours terminals, unless NO_COLOR says otherwise', async () => {
    host.stdout.isTTY = true;
    await runCli(['run'], host);
    expect(host.stdout.text).toContain('\x1b[32m');
    const plain = new FakeHost();
    plain.stdout.isTTY = true;
    plain.variables.NO_COLOR = '1';
    await runCli(['run'], plain);
    expect(plain.stdout.text).not.toContain('\x1b[');
  });
});

describe('progress', () => {
  const progress = {
    phase: 'running',
    elapsedMs: 1000,
    remainingMs: null,
    actors: [{ name: 'gpu0', letter: 'R', steps: 1 }],
    counters: {},
    loads: [],
    violation: null,
  } as const;

  beforeEach(() => {
    host.run = async (_, { onProgress }) => {
      onProgress?.(progress);
      return runReport();
    };
  });

  it('goes to a terminal on standard error and is gone at the end', async () => {
    host.stderr.isTTY = true;
    await runCli(['run'], host);
    expect(host.stderr.text).toMatch(/^\r\[wall: 00m:01s\b.*\[R\(1\)\]/);
    expect(host.stderr.text.endsWith('\r\x1b[K')).toBe(true);
  });

  it.each(['run', 'stress'])(
    "of %s is kept in a pipe every --status-interval, of the run's own time",
    async (command) => {
      host.run = async (_, { onProgress }) => {
        for (const elapsedMs of [400, 1000, 1400, 2000]) onProgress?.({ ...progress, elapsedMs });
        return runReport();
      };
      await runCli([command, '--status-interval', '1'], host);
      const all = host.stderr.text.trimEnd().split('\n');
      const lines = all.filter((line) => !line.startsWith('svmsim: note: '));
      expect(lines.map((line) => /^\[wall: ([0-9ms:]+)/.exec(line)?.[1])).toEqual(['00m:01s', '00m:02s']);
    },
  );

  it('is silent in a pipe and with --quiet', async () => {
    await runCli(['run'], host);
    host.stderr.isTTY = true;
    await runCli(['run', '--quiet'], host);
    expect(host.stderr.text).toBe('');
  });
});

describe('stress', () => {
  it('takes its own scenario, and verifies now and then', async () => {
    expect(await runCli(['stress'], host)).toBe(0);
    expect(host.loaded[0].path).toMatch(/config\/stress\.yaml$/);
    expect(host.loaded[0].overrides.durationMs).toBeUndefined();
    expect(host.runs[0].options.verifyEveryMs).toBe(5000);
  });

  it('gives the loader its time in milliseconds', async () => {
    await runCli(['stress', '--seconds', '2.5', '--verify-every', '0'], host);
    expect(host.loaded[0].overrides.durationMs).toBe(2500);
    expect(host.runs[0].options.verifyEveryMs).toBe(0);
  });

  it('names what decided the run for its repetition', async () => {
    host.run = async () => runReport({ checks: [{ name: 'content', ok: false, detail: 'lost' }] });
    await runCli(['stress', '--seconds', '2', '--verify-every', '0.001', '--stuck-after', '0.5'], host);
    expect(host.stdout.text).toMatch(/--seconds 2 --verify-every 0\.001 --stuck-after 0\.5\n$/);
  });

  it.each([['-5'], ['0'], ['x'], ['']])('refuses --seconds %j', async (seconds) => {
    expect(await runCli(['stress', '--seconds', seconds], host)).toBe(2);
    expect(host.stderr.text).toContain('svmsim: --seconds: found');
    expect(host.runs).toEqual([]);
  });

  it('names itself in the document', async () => {
    await runCli(['stress', '--json', '-'], host);
    expect(JSON.parse(host.stdout.text)).toMatchObject({ command: 'stress' });
  });
});
