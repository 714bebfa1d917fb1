/** The commands for files of one's own: init writes one, validate checks it, schema tells editors of it. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { loadScenario } from '../../src/scenario/loadScenario.js';
import { FakeHost } from './fakeHost.js';

let host: FakeHost;
let folder: string;
beforeEach(() => {
  host = new FakeHost();
  folder = mkdtempSync(join(tmpdir(), 'svmsim-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);

describe('init', () => {
  it('writes a scenario that loads, and says what to type next', async () => {
    expect(await runCli(['init', at('my.yaml')], host)).toBe(0);
    expect(loadScenario(at('my.yaml'))).toMatchObject({ name: 'first', deviceCount: 2 });
    expect(host.stdout.text).toContain(`svmsim run ${at('my.yaml')}`);
  });

  it('names the schema for editors in the first line', async () => {
    await runCli(['init', at('my.yaml')], host);
    expect(readFileSync(at('my.yaml'), 'utf8')).toMatch(
      /^# yaml-language-server: \$schema=.*scenario\.schema\.json\n/,
    );
  });

  it('leaves a file alone that is there, unless told', async () => {
    writeFileSync(at('my.yaml'), 'mine');
    expect(await runCli(['init', at('my.yaml')], host)).toBe(2);
    expect(readFileSync(at('my.yaml'), 'utf8')).toBe('mine');
    expect(await runCli(['init', at('my.yaml'), '--force'], host)).toBe(0);
    expect(readFileSync(at('my.yaml'), 'utf8')).not.toBe('mine');
  });

  it.each(['my.txt', 'no/such/folder/my.yaml'])('refuses %s with one message', async (name) => {
    expect(await runCli(['init', at(name)], host)).toBe(2);
    expect(host.stderr.text).toContain('allowed:');
    expect(host.stderr.text.trim().split('\n')).toHaveLength(1);
  });
});

describe('validate', () => {
  it('tells what is in each valid file', async () => {
    expect(await runCli(['validate', 'config/stress.yaml', 'config/presets/plain.yaml'], host)).toBe(0);
    expect(host.stdout.text).toContain('config/stress.yaml: a scenario file, valid: 8 devices');
    expect(host.stdout.text).toContain('config/presets/plain.yaml: a preset file, valid');
  });

  it('looks at every file and tells the first mistake of each', async () => {
    writeFileSync(at('a.yaml'), 'devices:\n  count: 0\n');
    writeFileSync(at('b.yaml'), 'ram: lots\n');
    expect(await runCli(['validate', at('a.yaml'), 'config/stress.yaml', at('b.yaml')], host)).toBe(2);
    const [first, second, ...more] = host.stderr.text.trim().split('\n');
    expect(first).toContain("a.yaml:2: key 'devices.count': found 0");
    expect(second).toContain("b.yaml:1: key 'ram': found lots");
    expect(more).toEqual([]);
    expect(host.stdout.text).toContain('stress.yaml');
  });

  it('says nothing of valid files when told to be quiet', async () => {
    expect(await runCli(['validate', '--quiet', 'config/stress.yaml'], host)).toBe(0);
    expect(host.stdout.text).toBe('');
  });

  it('refuses a kind that is none', async () => {
    expect(await runCli(['validate', '--kind', 'song', 'config/stress.yaml'], host)).toBe(2);
    expect(host.stderr.text).toContain('scenario, preset, case');
  });
});

describe('schema', () => {
  it.each(['scenario', 'preset', 'case'])('of %s is one JSON document', async (kind) => {
    expect(await runCli(['schema', kind], host)).toBe(0);
    expect(JSON.parse(host.stdout.text)).toMatchObject({ title: expect.stringContaining('svmsim') });
  });
});
