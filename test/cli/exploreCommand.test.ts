/** `svmsim explore`: which checkers watch, and made-up scenarios. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { statusOfSearch } from '../../src/cli/exploreCommand.js';
import { runCli } from '../../src/cli/program.js';
import { FakeHost } from './fakeHost.js';

let host: FakeHost;
let folder: string;
beforeEach(() => {
  host = new FakeHost();
  folder = mkdtempSync(join(tmpdir(), 'svmsim-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** More accesses than can be made in the steps that a run may have. */
const LONG = `ram: 256pages
devices: { count: 1, vram: 32pages }
svm: { chunks: [4KiB] }
workloads:
  - { kind: pattern, pattern: uniform, size: 4pages, accesses: 1000, rounds: 200 }
`;

const few = ['--schedules', '8', '--jobs', '1', '--quiet'];

describe('svmsim explore --checks', () => {
  it('lets only those watch that are named, and a failure file remembers which', async () => {
    const file = join(folder, 'f.bin');
    const hunt = [
      'explore',
      '--bug',
      'B107',
      '--output',
      file,
      '--no-shrink',
      '--schedules',
      '60',
      '--quiet',
    ];
    expect(await runCli([...hunt, '--checks', 'I4'], host)).toBe(1);
    expect(host.stdout.text).toContain('found invariant of I4');
    expect(await runCli(['replay', file, '--quiet'], host)).toBe(1);
    host = new FakeHost();
    await runCli([...hunt, '--checks', 'none'], host);
    expect(host.stdout.text).not.toContain('in an invalidation of it');
  });

  it('refuses those that are not there', async () => {
    for (const words of [
      ['--checks', 'I99'],
      ['--checks', 'I99', '--swarm'],
    ]) {
      host = new FakeHost();
      expect(await runCli(['explore', ...few, ...words], host)).toBe(2);
      expect(host.stderr.text).toContain('I99');
      expect(host.stderr.text.trim().split('\n')).toHaveLength(1);
    }
  });
});

describe('a search in which nothing was decided', () => {
  const ends = { undecided: 3, schedules: 3, isPartial: false };

  it('is one of a program that cannot be explored', () => {
    expect(statusOfSearch(false, ends)).toBe(2);
    expect(statusOfSearch(false, { ...ends, undecided: 2 })).toBe(0);
    expect(statusOfSearch(true, ends)).toBe(1);
    expect(statusOfSearch(false, { ...ends, isPartial: true })).toBe(130);
    expect(statusOfSearch(false, { ...ends, undecided: 0, schedules: 0 })).toBe(0);
  });

  it('ends so when its time is over, too', async () => {
    const path = join(folder, 'long.yaml');
    writeFileSync(path, LONG);
    const words = ['explore', path, '--strategy', 'random', '--jobs', '1', '--quiet', '--checks', 'none'];
    expect(await runCli([...words, '--seconds', '0.001'], host)).toBe(2);
    expect(host.stdout.text).toContain('too long to explore');
    host = new FakeHost();
    expect(await runCli([...words, '--schedules', '1', '--json', '-'], host)).toBe(2);
    expect(JSON.parse(host.stdout.text)).toMatchObject({
      ok: false,
      counters: { undecided: 1, schedules: 1 },
    });
  });
});

describe('svmsim explore --json', () => {
  it('names the scenario as other commands do, not by its path', async () => {
    expect(await runCli(['explore', 'explore-race', '--json', '-', ...few], host)).toBe(0);
    expect(JSON.parse(host.stdout.text).scenario).toBe('explore-race');
  });
});

describe('svmsim explore --swarm', () => {
  it('logs each scenario with its seed', async () => {
    const swarm = ['explore', '--swarm', '--devices', '1', '--seed', '5', ...few];
    expect(await runCli(swarm, host)).toBe(0);
    expect(host.stdout.text).toMatch(
      /^seed 5: ok, 8 schedules by \S+, up to [\d,]+ steps \(devices count 1, vram \dpages, /,
    );
    expect(host.stdout.text).toContain('found nothing');
  });

  it('says how to have a failing scenario again, and that fails too', async () => {
    const file = join(folder, 'f.bin');
    const more = [
      '--bug',
      'B107',
      '--devices',
      '2',
      '--layout',
      'n1',
      '--output',
      file,
      '--no-shrink',
      '--quiet',
    ];
    expect(await runCli(['explore', '--swarm', '--schedules', '60', ...more], host)).toBe(1);
    const again = /the same scenario again: svmsim (.*)/.exec(host.stdout.text)?.[1]?.split(' ') ?? [];
    const found = /^found .*/m.exec(host.stdout.text)?.[0];
    expect(again).toContain('--seed');
    host = new FakeHost();
    expect(await runCli([...again, '--output', file, '--no-shrink', '--quiet'], host)).toBe(1);
    expect(host.stdout.text).toContain(found);
    expect(await runCli(['replay', file, '--quiet'], host)).toBe(1);
  });

  it('takes no file', async () => {
    expect(await runCli(['explore', 'stress', '--swarm', ...few], host)).toBe(2);
    expect(host.stderr.text).toContain('no file');
  });
});
