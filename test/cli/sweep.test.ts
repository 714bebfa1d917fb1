/** `svmsim run --seeds`: one virtual run for each seed. */

import { beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { runReport } from '../report/fixtures.js';
import { abortError, FakeHost } from './fakeHost.js';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});

describe('a sweep', () => {
  it('runs each seed once, under the virtual executor, with what was typed', async () => {
    expect(await runCli(['run', 'stress', '--seeds', '3..6', '--jobs', '2', '--devices', '2'], host)).toBe(0);
    expect(host.swept.map(({ overrides }) => overrides)).toEqual(
      [3, 4, 5, 6].map((seed) => ({ executor: 'virtual', devices: '2', checks: 'cheap', seed })),
    );
    expect(host.swept[0].scenario).toMatch(/config\/stress\.yaml$/);
    expect(host.runs).toEqual([]);
  });

  it('passes on every option that changes a scenario, and no other', async () => {
    const typed = ['--preset', 'plain', '--layout', 'one-to-one', '--set', 'ram=64MiB', '--checks', 'all'];
    expect(await runCli(['run', '--seeds', '4', '--quiet', ...typed], host)).toBe(0);
    expect(host.swept[0].overrides).toEqual({
      executor: 'virtual',
      preset: 'plain',
      layout: 'one-to-one',
      set: ['ram=64MiB'],
      checks: 'all',
      seed: 4,
    });
  });

  it('hands out no more runs than jobs, and reports by seed in whatever order they end', async () => {
    let running = 0;
    let most = 0;
    host.sweep = async (seed) => {
      most = Math.max(most, ++running);
      for (let turns = 0; turns < 10 - seed; turns++) await null;
      running--;
      return runReport({ executor: 'virtual', seed });
    };
    await runCli(['run', '--seeds', '1..8', '--jobs', '3', '--json', '-'], host);
    expect(most).toBe(3);
    const { results } = JSON.parse(host.stdout.text);
    expect(results.map(({ seed }: { seed: number }) => seed)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it.each([
    ['cores', ['--seeds', '1..9'], 8, 2],
    ['seeds', ['--seeds', '1'], 8, 1],
    ['memory', ['--seeds', '1..9'], 0, 1],
    ['the seeds that there are', ['--seeds', '1..2', '--jobs', '5'], 8, 2],
  ])('has as many jobs as %s allow', async (_, options, freeRuns, jobs) => {
    host.freeRuns = freeRuns;
    expect(await runCli(['run', ...options], host)).toBe(0);
    expect(host.poolJobs).toBe(jobs);
    expect(host.poolsOpen).toBe(0);
  });

  it('fails when a seed does, and runs the others', async () => {
    host.sweep = async (seed) =>
      runReport({ executor: 'virtual', seed, checks: [{ name: 'content', ok: seed !== 2, detail: '' }] });
    expect(await runCli(['run', '--seeds', '1..3'], host)).toBe(1);
    expect(host.stdout.text).toContain('FAILED: 1 of 3 seeds failed, first 2\n');
    expect(host.stdout.text).toMatch(/Again: svmsim run \S+ --executor virtual --seed 2\n$/);
  });

  it('reports the seeds that were done when it was interrupted', async () => {
    host.sweep = async (seed, signal) => {
      if (seed === 3) host.interrupt();
      if (signal.aborted) throw abortError();
      return runReport({ executor: 'virtual', seed });
    };
    expect(await runCli(['run', '--seeds', '1..9', '--jobs', '1'], host)).toBe(130);
    expect(host.stdout.text).toContain('PARTIAL: interrupted; 2 of 9 seeds done');
    expect(host.swept).toHaveLength(3);
    expect(host.poolsOpen).toBe(0);
  });

  it('stops at an error of the simulator and closes its workers', async () => {
    host.sweep = async (seed, signal) => {
      if (seed === 2) throw new Error('worker exited with 134');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      throw abortError();
    };
    expect(await runCli(['run', '--seeds', '1..9', '--jobs', '2'], host)).toBe(3);
    expect(host.swept).toHaveLength(2);
    expect(host.poolsOpen).toBe(0);
  });

  it.each([
    [['--seeds', '5..1'], '--seeds: found 5..1'],
    [['--seeds', 'x'], '--seeds: found x'],
    [['--seeds', '0..4294967296'], '--seeds: found'],
    [['--seeds', '1..200000'], 'at most 100000 seeds'],
    [['--seeds', '1..3', '--executor', 'threads'], 'the virtual executor'],
    [['--jobs', '2'], '--jobs together with --seeds'],
    [['--seeds', '1..3', '--jobs', '0'], '--jobs: found 0'],
    [['--seeds', '1..30', '--jobs', '9'], 'at most 8, as many runs as free memory holds'],
  ])('refuses %j', async (options, message) => {
    expect(await runCli(['run', ...options], host)).toBe(2);
    expect(host.stderr.text).toContain(message);
    expect(host.swept).toEqual([]);
  });
});
