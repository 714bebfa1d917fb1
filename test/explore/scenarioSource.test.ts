/** What a scenario reads besides itself is copied when it is explored; afterwards nothing of it is looked for on disk. */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { decodeFailure, encodeFailure } from '../../src/explore/failureFile.js';
import { replay } from '../../src/explore/replay/replay.js';
import { scenarioSource } from '../../src/explore/scenarioSource.js';
import { subjectOf } from '../../src/explore/subject.js';
import { configDir } from '../../src/scenario/presets.js';
import { CopyingFiles } from '../../src/scenario/scenarioFiles.js';
import { FakeHost } from '../cli/fakeHost.js';
import { Scratch } from '../scenario/scratch.js';

const VERSION = '1.2.3';
const TRACE = `57 1000.000000 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7ff6a1eb7000
57 1000.000100 munmap(0x7ff6a1eb7000, 4096) = 0
57 1000.000200 madvise(0x7ff6a1eb8000, 4096, MADV_DONTNEED) = 0
`;
const ACCESSES = 'time,device,address,size,kind\n0,gpu0,0x7f0000000000,8,write\n';
const PRESET = `name: mine
extends: base.yaml
numbers: {}
devices: { fault-batch: { value: 7, source: a guess for a test } }
`;
const SCENARIO = `devices: { count: 2, vram: 2MiB, contexts: 1 }
ram: 4MiB
cost: { preset: costs/mine.yaml }
workloads:
  - { kind: trace, file: t/p.strace, touch-pages: 1, device-accesses: 2 }
  - { kind: accesses, file: a.csv }
`;

const scratch = new Scratch();

/** The path of a scenario in a folder of its own. */
function written(folder: string): string {
  scratch.write(`${folder}/t/p.strace`, TRACE);
  scratch.write(`${folder}/a.csv`, ACCESSES);
  scratch.write(`${folder}/costs/mine.yaml`, PRESET);
  const plain = readFileSync(join(configDir(), 'presets', 'plain.yaml'), 'utf8');
  scratch.write(`${folder}/costs/base.yaml`, plain.replace('name: plain', 'name: base'));
  return scratch.write(`${folder}/s.yaml`, SCENARIO);
}

function kept(path: string): ReturnType<typeof scenarioSource> {
  const target = { source: scenarioSource(path, {}), bug: null };
  const verdict = { kind: 'invariant', invariant: 'I1', message: '', details: [] } as const;
  const failure = { target, verdict, strategy: 'random', schedule: 0, choices: new Uint32Array() };
  return decodeFailure(encodeFailure(failure, VERSION), 'f.bin', VERSION).target.source;
}

describe('a scenario that is explored', () => {
  it('has copies of its traces, tables and presets, also in a failure file, and needs the disk no more', () => {
    const path = written('gone');
    const before = subjectOf(scenarioSource(path, {})).config;
    const source = kept(path);
    rmSync(scratch.path('gone'), { recursive: true });
    expect(subjectOf(source).config).toEqual(before);
    expect(before.device.faultBatch).toBe(7);
    expect(before.workloads.map(({ kind }) => kind)).toEqual(['trace', 'accesses']);
  });

  it.each([
    ['a trace', 'workloads: [{ kind: trace, file: /etc/passwd }]', '/etc/passwd'],
    ['a table', 'workloads: [{ kind: accesses, file: /etc/passwd }]', '/etc/passwd'],
    ['a preset', 'cost: { preset: /etc/secret.yaml }', '/etc/secret.yaml'],
  ])('cannot name %s of which there is no copy', (_, text, file) => {
    const source = { kind: 'scenario', path: 's.yaml', text, set: [] } as const;
    expect(scratch.mistakeOf(() => subjectOf(source))).toContain(`${file}, of which no copy was kept`);
  });

  it('reaches no file by the name of a preset that comes with svmsim', () => {
    const text = 'cost: { preset: ../bench-mirror }';
    const source = { kind: 'scenario', path: 's.yaml', text, set: [] } as const;
    expect(scratch.mistakeOf(() => subjectOf(source))).toMatch(/found \.\.\/bench-mirror, allowed: .*plain/);
  });

  it('has what comes with svmsim without a copy', () => {
    const text = 'duration: 1s\nloads: { trace: 10/s }\ncost: { preset: xe-bmg }\n';
    const source = scenarioSource(scratch.write('shipped.yaml', text), {});
    expect(source).not.toHaveProperty('files');
    expect(subjectOf(source).config).toMatchObject({
      cost: { preset: 'xe-bmg' },
      workloads: [{ kind: 'trace' }],
    });
  });

  it('has no circle of presets among its copies', () => {
    const text = 'cost: { preset: a.yaml }';
    const files = [
      { path: 'a.yaml', text: 'name: a\nextends: b.yaml\nnumbers: {}\n' },
      { path: 'b.yaml', text: 'name: b\nextends: a.yaml\nnumbers: {}\n' },
    ];
    const source = { kind: 'scenario', path: 's.yaml', text, set: [], files } as const;
    expect(scratch.mistakeOf(() => subjectOf(source))).toContain('a circle');
  });

  it('may not have more in its other files than can be kept', () => {
    const files = new CopyingFiles(5);
    expect(files.text(scratch.write('a', 'four'), 'text', 9)).toBe('four');
    expect(scratch.mistakeOf(() => files.text(scratch.write('b', 'four'), 'text', 9))).toBe(
      'b: found b, with which the files of the scenario have 8 bytes, allowed: files of at most 5 bytes together',
    );
  });
});

describe('a failure of a scenario with a trace', () => {
  it('is replayed as it went after the trace was changed', async () => {
    const path = written('changed');
    const file = scratch.path('f.bin');
    const host = new FakeHost();
    const words = ['--bug', 'B107', '--schedules', '300', '--jobs', '1', '--quiet', '--output', file];
    expect(await runCli(['explore', path, ...words, '--no-shrink'], host)).toBe(1);
    writeFileSync(scratch.path('changed/t/p.strace'), 'something else\n');
    const failure = decodeFailure(readFileSync(file), file, host.version);
    const result = replay(
      failure,
      { stopAt: Infinity, withPages: false, mustFit: true },
      { begin: () => {}, line: () => {} },
    );
    expect(result).toMatchObject({ isExact: true, verdict: { kind: failure.verdict.kind } });
  });
});
