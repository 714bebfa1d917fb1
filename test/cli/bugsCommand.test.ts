/** `svmsim bugs`: the list, a hunt, a race. */

import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { allBugs } from '../../src/bugs/catalogue.js';
import { notExpressed } from '../../src/bugs/notExpressed.js';
import type { ExplorePool } from '../../src/cli/cliHost.js';
import { runCli } from '../../src/cli/program.js';
import type { Verdict } from '../../src/explore/verdict.js';
import { raceTable } from '../../src/report/bugsReport.js';
import { FakeHost } from './fakeHost.js';

let host: FakeHost;
let folder: string;
beforeEach(() => {
  host = new FakeHost();
  folder = mkdtempSync(join(tmpdir(), 'svmsim-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the list', () => {
  it('has every bug, and those that cannot be expressed with the reason', async () => {
    expect(await runCli(['bugs'], host)).toBe(0);
    for (const { id, title } of allBugs) expect(host.stdout.text).toContain(`${id.padEnd(4)}  ${title}`);
    for (const { id, reason } of notExpressed) expect(host.stdout.text).toContain(`${id}  ${reason}`);
  });

  it('is one JSON document with --json', async () => {
    expect(await runCli(['bugs', '--json', '-'], host)).toBe(0);
    const { results } = JSON.parse(host.stdout.text);
    expect(results.map(({ id }: { id: string }) => id)).toEqual(allBugs.map(({ id }) => id));
    expect(results[0]).toMatchObject({
      title: expect.any(String),
      wrong: expect.any(String),
      expected: expect.any(Array),
    });
  });

  it('holds at least sixty', () => {
    expect(allBugs.length).toBeGreaterThanOrEqual(60);
  });
});

describe('a hunt', () => {
  it('finds the bug and writes a failure file', async () => {
    const file = join(folder, 'f.bin');
    const words = ['bugs', '--hunt', 'b61', '--schedules', '10', '--output', file, '--quiet'];
    expect([await runCli(words, host), host.stderr.text]).toEqual([1, '']);
    expect(host.stdout.text).toContain('found livelock');
    expect(statSync(file).size).toBeGreaterThan(100);
  });

  it.each([
    [['--hunt', 'B9999'], 'B9999'],
    [['--hunt', 'B61', '--race'], 'one of the two'],
    [['--race', '--schedules', '0'], '--schedules'],
    [['--race', '--seed', 'x'], '--seed'],
    [['--seed', '5'], '--seed 5: found nothing that it concerns, allowed: with --hunt or --race'],
    [['B107', '--seed', '9'], '--seed 9: found nothing that it concerns, allowed: with --hunt or --race'],
  ])('refuses %j with one message', async (words, told) => {
    expect(await runCli(['bugs', ...words], host)).toBe(2);
    expect(host.stderr.text).toContain(told);
    expect(host.stderr.text.trim().split('\n')).toHaveLength(1);
  });
});

it('a race says for each strategy how many it found and how soon', () => {
  const cell = { bug: 'B1', wallSeconds: 0.25 };
  const table = raceTable(
    [
      { ...cell, strategy: 'random', schedules: 30, found: 'yes' },
      { ...cell, strategy: 'pct3', schedules: 100, found: 'no' },
    ],
    false,
  );
  expect(table).toContain('30 (0.3s)');
  expect(table).toContain('not in 100');
  expect(table).toContain('random, the baseline: 1 of 1 found, median 30 schedules');
  expect(table).toContain('pct3: 0 of 1 found, median - schedules');
});

describe('a race', () => {
  /** Every search ends in its first schedule, with this or well. */
  function allEnd(verdict: Verdict | null): void {
    const found = { schedule: 0, steps: 1, preemptions: 0, choices: new Uint32Array(0) };
    const run: ExplorePool['run'] = async ({ block: { index, strategy } }) => ({
      index,
      strategy,
      schedules: 1,
      undecided: 0,
      stepsTotal: 1,
      stepsMin: 1,
      stepsMax: 1,
      choicesMax: 1,
      tasksMax: 1,
      hashes: new Float64Array(1),
      ranges: [],
      findings: verdict === null ? [] : [{ verdict, strategy, ...found }],
      isComplete: false,
    });
    vi.spyOn(host.simulator, 'openExplorePool').mockResolvedValue({ run, close: async () => {} });
  }

  it('holds where bugs are found as they are expected, or not at all', async () => {
    allEnd(null);
    expect(await runCli(['bugs', '--race', '--schedules', '1', '--json', '-'], host)).toBe(0);
    const { ok, results } = JSON.parse(host.stdout.text);
    expect(ok).toBe(true);
    expect(new Set(results.map(({ found }: { found: string }) => found))).toEqual(new Set(['no']));
  });

  it('fails where one shows as something else', async () => {
    allEnd({ kind: 'deadlock', invariant: null, message: 'all wait', details: [] });
    expect(await runCli(['bugs', '--race', '--schedules', '1', '--json', '-'], host)).toBe(1);
    const { ok, results } = JSON.parse(host.stdout.text);
    expect(ok).toBe(false);
    expect(new Set(results.map(({ found }: { found: string }) => found))).toContain('otherwise');
  });
});

it('shows all that is known of one', async () => {
  expect(await runCli(['bugs', 'B107'], host)).toBe(0);
  expect(host.stdout.text).toMatch(/^B107: /);
  for (const part of ['What is wrong', 'Reference', 'Shows as', 'Program', 'svmsim bugs --hunt B107'])
    expect(host.stdout.text).toContain(part);
  const asJson = new FakeHost();
  expect(await runCli(['bugs', 'B107', '--json', '-'], asJson)).toBe(0);
  expect(JSON.parse(asJson.stdout.text).results).toMatchObject([{ id: 'B107' }]);
  for (const words of [['B999'], ['B107', '--race'], ['B107', '--seconds', '3']])
    expect(await runCli(['bugs', ...words], new FakeHost())).toBe(2);
});

describe('a bug that cannot be expressed', () => {
  const [{ id, reason }] = notExpressed;

  it('is shown with the reason', async () => {
    expect(await runCli(['bugs', id.toLowerCase()], host)).toBe(0);
    expect(host.stdout.text).toBe(`${id} cannot be expressed here: ${reason}\n`);
    const asJson = new FakeHost();
    expect(await runCli(['bugs', id, '--json', '-'], asJson)).toBe(0);
    expect(JSON.parse(asJson.stdout.text)).toMatchObject({ results: [], notExpressed: [{ id, reason }] });
  });

  it.each([
    ['bugs', '--hunt', id],
    ['explore', '--bug', id],
    ['explore', '--swarm', '--bug', id],
  ])('is refused with the reason by %j', async (...words) => {
    expect(await runCli(words, host)).toBe(2);
    expect(host.stderr.text).toContain(`${id} cannot: ${reason}`);
    expect(host.stderr.text).not.toContain('did you mean');
    expect(host.stderr.text.trim().split('\n')).toHaveLength(1);
  });
});
