/** The command line as it is installed: exit status, what stands on which stream, and that mistakes never show a stack. */

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tempFolder } from '../tempFolder.js';

const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const folder = tempFolder();

function svmsim(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...words], { encoding: 'utf8', cwd: folder });
}

function scenario(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

describe('a mistake', () => {
  const mistakes: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['an unknown key', ['run', scenario('key.yaml', 'name: x\nrma: 64MiB\n')], /key\.yaml:2: key 'rma'.*ram/],
    [
      'a wrong type',
      ['run', scenario('type.yaml', 'seed: soon\n')],
      /type\.yaml:1: key 'seed': found "?soon"?/,
    ],
    [
      'VRAM of 0',
      ['run', scenario('vram.yaml', 'devices: {vram: 0}\n')],
      /vram\.yaml:1: key 'devices\.vram': found 0/,
    ],
    [
      'a missing trace',
      ['run', scenario('trace.yaml', 'workloads: [{kind: trace, file: no.strace}]\n')],
      /no\.strace/,
    ],
    ['an unknown option', ['run', '--frob'], /unknown option '--frob'/],
    ['an unknown benchmark', ['bench', 'frob'], /frob/],
    [
      'a device that is not there',
      ['run', '--set', 'svm.placement=preferred', '--set', 'svm.preferred-device=9'],
      /allowed: a device that exists: 0 to 3/,
    ],
  ];

  it.each(mistakes)('%s gives one message, exit 2 and no stack', (_, words, message) => {
    const { status, stdout, stderr } = svmsim(...words);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(status).toBe(2);
    expect(stdout).toBe('');
  });
});

describe('standard output', () => {
  it('may end before all is written', () => {
    const { status, stdout, stderr } = spawnSync(
      'bash',
      ['-c', `set -o pipefail; "${process.execPath}" "${main}" bugs | head -1`],
      { encoding: 'utf8', cwd: folder },
    );
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout.split('\n')).toHaveLength(2);
  });

  it('without room is told in one line', () => {
    const { status, stderr } = spawnSync('bash', ['-c', `"${process.execPath}" "${main}" bugs > /dev/full`], {
      encoding: 'utf8',
    });
    expect(stderr).toMatch(/^svmsim: standard output: found a disk without room, allowed: .*\n$/);
    expect(status).toBe(2);
  });
});

describe('run --json -', () => {
  it('prints exactly one document', () => {
    const file = scenario(
      'tiny.yaml',
      'name: tiny\nexecutor: virtual\ndevices: {count: 2, vram: 4MiB, contexts: 2}\nram: 16MiB\nworkloads: [{kind: saxpy, elements: 8192, rounds: 1}]\n',
    );
    const { status, stdout, stderr } = svmsim('run', file, '--json', '-');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const document: Record<string, unknown> = JSON.parse(stdout);
    expect(document).toMatchObject({ command: 'run', scenario: 'tiny', executor: 'virtual', ok: true });
  });
});

describe('the programs of a --policy module', () => {
  const quiet = scenario('none.yaml', 'ram: 16MiB\ndevices: {count: 1, vram: 4MiB}\nworkloads: []\n');
  const wrong = scenario(
    'wrong.mjs',
    "export default { programs: { wrong: () => ({ *run() { return 'it is wrong'; } }) } };\n",
  );

  it.each([
    ['run', '--executor', 'virtual'],
    ['run', '--executor', 'threads'],
    ['run', '--seeds', '1..2', '--jobs', '1'],
    ['stress', '--executor', 'virtual', '--seconds', '0.01'],
  ])('take part in %s %s %s', (command, ...options) => {
    const { status, stdout } = svmsim(command, quiet, ...options, '--policy', wrong);
    expect(stdout).toMatch(/wrong result: wrong/);
    expect(status).toBe(1);
  });

  it('have names of their own', () => {
    const named = scenario(
      'named.yaml',
      'ram: 16MiB\ndevices: {count: 1, vram: 4MiB}\nworkloads: [{kind: saxpy, name: wrong, elements: 4096}]\n',
    );
    const { status, stderr } = svmsim('run', named, '--policy', wrong);
    expect(stderr).toMatch(/--policy .*wrong\.mjs: key 'programs\.wrong': found the name of a workload/);
    expect(status).toBe(2);
  });
});
