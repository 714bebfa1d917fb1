/** `svmsim replay`: what it prints, how it ends, and what it refuses. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { encodeFailure, type Failure } from '../../src/explore/failureFile.js';
import { readTraceFile } from '../../src/report/trace/traceFile.js';
import { someFailure } from '../explore/someFailure.js';
import { FakeHost } from './fakeHost.js';

let host: FakeHost;
let folder: string;
let file: string;
const failure = someFailure('B107');

beforeEach(() => {
  host = new FakeHost();
  folder = mkdtempSync(join(tmpdir(), 'svmsim-'));
  file = join(folder, 'f.bin');
  writeFileSync(file, encodeFailure(failure, host.version));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('svmsim replay', () => {
  it('prints a line for each step under the names of the actors, and ends as the failure did', async () => {
    expect(await runCli(['replay', file], host)).toBe(1);
    const lines = host.stdout.text.split('\n');
    expect(lines.slice(0, 3)).toEqual(['  step', '        coordinator', '        |   gpu0']);
    expect(lines.filter((line) => /^ +\d+ {2}/.test(line)).length).toBeGreaterThan(100);
    expect(host.stdout.text).toContain(`invariant of I4: ${failure.verdict.message}`);
    expect(host.stdout.text).not.toContain('cpu present');
  });

  it('prints the state of pages with --verbose', async () => {
    expect(await runCli(['replay', file, '--verbose'], host)).toBe(1);
    expect(host.stdout.text).toContain('cpu present');
  });

  it('prints the verdict alone with --quiet', async () => {
    expect(await runCli(['replay', file, '--quiet', '--verbose'], host)).toBe(1);
    expect(host.stdout.text.trim().split('\n')).toHaveLength(1 + failure.verdict.details.length);
  });

  it('stops before a step, and says where everybody is', async () => {
    expect(await runCli(['replay', file, '--stop-at', '50'], host)).toBe(0);
    expect(host.stdout.text).toMatch(/^ {4}49 {2}/m);
    expect(host.stdout.text).not.toMatch(/^ {4}50 {2}/m);
    expect(host.stdout.text).toContain('where everybody is:');
    expect(host.stdout.text).toContain('stopped before step 50');
  });

  it('records what it plays where a trace is asked for, which ends where the replay does', async () => {
    const eventsTo = async (...words: string[]): Promise<number> => {
      const path = join(folder, `${words.length}.svmtrace`);
      await runCli(['replay', file, '--quiet', '--trace', path, ...words], host);
      const { trace } = readTraceFile(path);
      expect(trace).toMatchObject({ executor: 'virtual', devices: 2, dropped: 0 });
      expect(trace.actors.slice(0, 3)).toEqual(['coordinator', 'gpu0', 'gpu1']);
      return trace.events;
    };
    const whole = await eventsTo();
    expect(host.stderr.text).toContain(`${whole} events in `);
    const part = await eventsTo('--stop-at', '50');
    expect(part).toBeGreaterThan(0);
    expect(part).toBeLessThan(whole);
  });

  it('shows in the trace what it found', async () => {
    const path = join(folder, 'f.json');
    expect(await runCli(['replay', file, '--quiet', '--trace', path], host)).toBe(1);
    const { traceEvents } = JSON.parse(readFileSync(path, 'utf8'));
    const names = new Set(traceEvents.map(({ name }: { name: string }) => name));
    expect(names).toContain('munmap');
  });

  it('refuses a trace whose name says no form, before it plays', async () => {
    expect(await runCli(['replay', file, '--trace', join(folder, 'f.txt')], host)).toBe(2);
    expect(host.stdout.text).toBe('');
  });

  it.each([
    [['--stop-at', '0'], '--stop-at'],
    [['--stop-at', 'x'], '--stop-at'],
  ])('refuses %j', async (words, told) => {
    expect(await runCli(['replay', file, ...words], host)).toBe(2);
    expect(host.stderr.text).toContain(told);
  });

  it('refuses choices that do not fit the program, whoever has written them', async () => {
    const { choices } = failure;
    const replaced = choices.map((choice, i) => (i === choices.length >> 1 ? 999 : choice));
    for (const other of [choices.slice(0, -5), choices.slice(7), replaced, Uint32Array.of(...choices, 1)]) {
      host = new FakeHost();
      writeFileSync(file, encodeFailure({ ...failure, choices: other }, host.version));
      expect(await runCli(['replay', file, '--quiet'], host)).toBe(2);
      expect(host.stderr.text).toMatch(/f\.bin: found choices that do not fit its program/);
      expect(host.stderr.text.trim().split('\n')).toHaveLength(1);
      expect(host.stdout.text).toBe('');
    }
  });

  it('refuses a verdict to which the choices do not lead, though all of them can be made', async () => {
    const verdict = { ...failure.verdict, kind: 'deadlock', invariant: null } as const;
    writeFileSync(file, encodeFailure({ ...failure, verdict }, host.version));
    expect(await runCli(['replay', file, '--quiet'], host)).toBe(2);
    expect(host.stderr.text).toMatch(/f\.bin: found a verdict to which its choices do not lead: "deadlock: /);
    expect(host.stderr.text).toContain('not "invariant of I4');
    expect([host.stderr.text.trim().split('\n').length, host.stdout.text]).toEqual([1, '']);
  });

  it('refuses limits and invariants that no search has, which would never end or mean nothing', async () => {
    const wrong: [Partial<Failure['target']>, RegExp][] = [
      [{ stepsMax: Number.MAX_SAFE_INTEGER }, /content is no failure/],
      [{ disturbedSteps: 1e9 }, /content is no failure/],
      [{ checks: 'Z9' }, /f\.bin: found invariants Z9, which are not there/],
    ];
    for (const [changed, message] of wrong) {
      host = new FakeHost();
      const target = { ...failure.target, ...changed };
      writeFileSync(file, encodeFailure({ ...failure, target }, host.version));
      expect(await runCli(['replay', file, '--quiet'], host)).toBe(2);
      expect(host.stderr.text).toMatch(message);
      expect(host.stderr.text.trim().split('\n')).toHaveLength(1);
    }
  });

  it('refuses a file of another version, one cut off, one altered, and one that is not there, each in one line', async () => {
    const bytes = encodeFailure(failure, host.version);
    const altered = Uint8Array.from(bytes);
    altered[bytes.length - 9] ^= 1;
    const wrong: [Uint8Array | null, RegExp][] = [
      [encodeFailure(failure, '1.0.0'), /svmsim 1\.0\.0; this is 9\.9\.9/],
      [bytes.subarray(0, 500), /cut off or altered/],
      [bytes.subarray(0, 10), /only the beginning/],
      [altered, /cut off or altered/],
      [new Uint8Array(0), /only the beginning/],
      [null, /no such file/],
    ];
    for (const [content, message] of wrong) {
      host = new FakeHost();
      if (content === null) rmSync(file);
      else writeFileSync(file, content);
      expect(await runCli(['replay', file], host)).toBe(2);
      expect(host.stderr.text).toMatch(message);
      expect(host.stderr.text).toContain(file);
      expect(host.stderr.text.trim().split('\n')).toHaveLength(1);
    }
  });
});
