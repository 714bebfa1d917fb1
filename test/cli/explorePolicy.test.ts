/** Exploring with a module of the user's own: what it does wrong is found, written and repeated, and nothing loads it that the command line did not name. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Case } from '../../src/case/caseSchema.js';
import { runCli } from '../../src/cli/program.js';
import { FakeHost } from './fakeHost.js';

let host: FakeHost;
let folder: string;
let failure: string;
beforeEach(() => {
  host = new FakeHost();
  folder = mkdtempSync(join(tmpdir(), 'svmsim-'));
  failure = join(folder, 'f.bin');
});
afterEach(() => rmSync(folder, { recursive: true }));

const aCase: Case = {
  suite: 'own',
  name: 'one',
  source: { repo: 'own', path: 'one.json', commit: 'none' },
  needs: ['anon'],
  deterministic: true,
  steps: [{ op: 'bind_mirror', args: { proc: 'p0', dev: 'gpu0' } }],
  expect: [],
};
const few = ['--schedules', '8', '--jobs', '1', '--quiet'];

function module(name: string, body: string): string {
  const file = join(folder, name);
  writeFileSync(file, `export default ${body};\n`);
  return file;
}

/** Refuses to say where the pages of a store go. */
function picky(): string {
  return module(
    'picky.mjs',
    `{ placement: { name: 'picky', onlySystemPages: false,
       place: ({ write }) => { if (write) throw new Error('no idea'); return -3; } } }`,
  );
}

/** The same policy once it was mended. */
function mended(): string {
  return module('mended.mjs', `{ placement: { name: 'picky', onlySystemPages: false, place: () => -3 } }`);
}

/** Says that every fault is served, and serves none. */
function idler(): string {
  return module(
    'idler.mjs',
    `{ drivers: [() => ({ *serveFault() { return 0; }, register() {}, notifiersOf: () => 0, *closeAll() {} })] }`,
  );
}

async function run(...words: string[]): Promise<number> {
  host = new FakeHost();
  return runCli(words, host);
}

function explore(...words: string[]): Promise<number> {
  return run('explore', '--output', failure, ...few, ...words);
}

function oneLine(): string {
  const lines = host.stderr.text.trim().split('\n');
  expect(lines).toHaveLength(1);
  return lines[0];
}

describe('svmsim explore --policy', () => {
  it('finds what a policy does wrong, and says how to repeat it', async () => {
    const policy = picky();
    expect(await explore('explore-share', '--policy', policy)).toBe(1);
    expect(host.stdout.text).toMatch(/^explore-share with picky\.mjs \(picky\), [0-9a-f]{12}: /);
    expect(host.stdout.text).toContain("place() of 'picky' that throws Error: no idea");
    const words = /repeat it with: svmsim (.*)/.exec(host.stdout.text)?.[1].split(' ') ?? [];
    expect(words).toEqual(['replay', failure, '--policy', policy]);
    expect(await run(...words, '--quiet')).toBe(1);
    expect(host.stdout.text).toContain('no idea');
  });

  it('finds what a driver leaves undone', async () => {
    const policy = idler();
    expect(await explore('explore-share', '--policy', policy, '--no-shrink')).toBe(1);
    expect(host.stdout.text).toContain('found livelock');
    expect(await run('replay', failure, '--policy', policy, '--quiet')).toBe(1);
  });

  it('finds nothing with one that does as it should, and names it in the document', async () => {
    expect(await explore('explore-share', '--policy', mended(), '--json', '-')).toBe(0);
    expect(JSON.parse(host.stdout.text).policy).toMatch(/^mended\.mjs \(picky\), /);
  });

  it('tells a module that keeps state of its own from run to run', async () => {
    const counts = module(
      'counts.mjs',
      `((n) => ({ placement: { name: 'counts', onlySystemPages: false, place: () => (n++ < 3 ? -3 : -1) } }))(0)`,
    );
    expect(await explore('explore-share', '--policy', counts, '--no-shrink')).toBe(1);
    expect(host.stdout.text).toContain('found nondeterminism');
  });

  it('runs programs of the module beside those of the scenario, and none beside a case', async () => {
    const programs = module(
      'programs.mjs',
      `{ programs: { mine: () => ({ *run() { return 'no luck'; } }) } }`,
    );
    expect(await explore('explore-share', '--policy', programs, '--no-shrink')).toBe(1);
    expect(host.stdout.text).toContain('no luck');
    host = new FakeHost();
    host.cases = [aCase];
    expect(await runCli(['explore', 'one.json', '--policy', programs, ...few], host)).toBe(2);
    expect(oneLine()).toContain(
      "key 'programs.mine': found a program, allowed: policies and drivers: a case is",
    );
  });

  it('goes with made-up scenarios, and with the command that explores one of them alone', async () => {
    const policy = picky();
    expect(await explore('--swarm', '--policy', policy, '--seed', '3')).toBe(1);
    expect(host.stdout.text).toContain(`--policy ${policy}`);
    expect(await run('replay', failure, '--policy', policy, '--quiet')).toBe(1);
  });

  it('refuses a module that will not do', async () => {
    expect(await explore('explore-share', '--policy', join(folder, 'none.mjs'))).toBe(2);
    expect(oneLine()).toContain('none.mjs: found no such file');
  });

  it('writes over no module', async () => {
    const policy = picky();
    expect(await run('explore', 'explore-share', '--policy', policy, '--output', policy)).toBe(2);
    expect(oneLine()).toContain('a file that is read');
  });
});

describe('a failure with a module', () => {
  beforeEach(async () => {
    await explore('explore-share', '--policy', picky());
  });

  it('does not say where the module is, and is not played without it', async () => {
    expect(readFileSync(failure, 'latin1')).not.toContain(folder);
    expect(await run('replay', failure)).toBe(2);
    expect(oneLine()).toMatch(
      /a failure with a module of the user's own, picky, [0-9a-f]{12}, allowed: --policy/,
    );
    expect(await run('report', failure, '-o', join(folder, 'r.html'))).toBe(2);
    expect(oneLine()).toContain('--policy');
  });

  it('shows with another text of the module whether that helps', async () => {
    expect(await run('replay', failure, '--policy', mended(), '--quiet')).toBe(0);
    expect(oneLine()).toMatch(
      /note: .*mended\.mjs is picky, [0-9a-f]{12} now, and was picky, [0-9a-f]{12} when/,
    );
    expect(host.stdout.text).toContain('this is not how it went: nothing went wrong');
  });

  it('becomes a page with it', async () => {
    const page = join(folder, 'r.html');
    expect(await run('report', failure, '-o', page, '--policy', picky())).toBe(0);
    expect(readFileSync(page, 'utf8')).toContain('no idea');
  });
});

describe('a module where nothing asks for one', () => {
  it('is refused beside a failure without one', async () => {
    expect(await run('explore', '--bug', 'B107', '--output', failure, '--no-shrink', ...few)).toBe(1);
    expect(await run('replay', failure, '--policy', picky())).toBe(2);
    expect(oneLine()).toContain('nothing that it concerns');
  });
});
