/** What is said of a run that may not be what was meant. */

import { describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { runNotes } from '../../src/cli/runNotes.js';
import { FakeHost } from './fakeHost.js';

const saxpy = { kind: 'saxpy', name: 's', elements: 1, rounds: 1 } as const;
const leave = { kind: 'join-leave', name: 'j', stay: 1, atOnce: 1, operations: 1, pauseUs: 0 } as const;

describe('runNotes', () => {
  it('tells of a stress without a load', () => {
    const quiet = { executor: 'threads', workloads: [saxpy] } as const;
    expect(runNotes('stress', quiet, {}).join()).toMatch(/^svmsim: note: no load: .*--load/);
    expect(runNotes('run', quiet, {})).toEqual([]);
    expect(runNotes('stress', { ...quiet, workloads: [saxpy, leave] }, {})).toEqual([]);
  });

  it('tells of a preset where time is not simulated', () => {
    const run = { executor: 'threads', workloads: [saxpy] } as const;
    expect(runNotes('run', run, { preset: 'xe-bmg' }).join()).toContain(
      '--preset xe-bmg does not change times',
    );
    expect(runNotes('run', { ...run, executor: 'virtual' }, { preset: 'xe-bmg' })).toEqual([]);
  });
});

describe('an option that names a file', () => {
  it('may be given once', async () => {
    const host = new FakeHost();
    expect(await runCli(['run', '--json', 'a.json', '--json', 'b.json'], host)).toBe(2);
    expect(host.stderr.text).toBe(
      'svmsim: --json b.json: found a.json before it, allowed: the option once\n',
    );
  });
});
