/** `svmsim report`: what it takes, and what it says of files that it does not take. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ExitStatus } from '../../src/cli/exitStatus.js';
import { runCli } from '../../src/cli/program.js';
import { encodeFailure } from '../../src/explore/failureFile.js';
import { runDocument } from '../../src/report/json.js';
import { someFailure } from '../explore/someFailure.js';
import { environment, runReport, simulationConfig } from '../report/fixtures.js';
import { tempFolder } from '../tempFolder.js';
import { FakeHost } from './fakeHost.js';

const folder = tempFolder();

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function result(name: string): string {
  const document = runDocument(runReport(), { command: 'run', config: simulationConfig(), environment });
  return file(name, JSON.stringify(document));
}

async function report(...words: readonly string[]): Promise<{ status: number; host: FakeHost }> {
  const host = new FakeHost();
  const status = await runCli(['report', ...words], host);
  return { status, host };
}

/** What a page holds for its script. */
function dataOf(path: string): {
  title: string;
  runs: { source: string }[];
  failure: { steps: unknown[] } | null;
} {
  const text = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(
    readFileSync(path, 'utf8'),
  )?.[1];
  return JSON.parse(text ?? 'null');
}

describe('svmsim report', () => {
  it('makes one file of the JSON document of a run, which asks for no other', async () => {
    const page = join(folder, 'one.html');
    const { status, host } = await report(result('run.json'), '-o', page);
    expect(status).toBe(ExitStatus.Ok);
    expect(host.stdout.text).toMatch(/one\.html: \d+(\.\d+)?KiB\n/);
    expect(dataOf(page).runs.map(({ source }) => source)).toEqual(['run.json']);
    expect(readFileSync(page, 'utf8')).toContain("default-src 'none'");
    expect(readFileSync(page, 'utf8')).not.toMatch(/(src|href)="http/);
  });

  it('compares two', async () => {
    const page = join(folder, 'two.html');
    expect((await report(result('a.json'), result('b.json'), '-o', page)).status).toBe(ExitStatus.Ok);
    expect(dataOf(page).runs.map(({ source }) => source)).toEqual(['a.json', 'b.json']);
  });

  it('plays a failure again, and tells all its steps', async () => {
    const page = join(folder, 'failure.html');
    const failure = file('failure.bin', encodeFailure(someFailure('B107'), new FakeHost().version));
    expect((await report(failure, '-o', page)).status).toBe(ExitStatus.Ok);
    expect(dataOf(page).failure?.steps.length).toBeGreaterThan(10);
  });

  it.each<[string, () => string[], RegExp]>([
    ['no such file', () => [join(folder, 'none.json')], /none\.json: found no such file/],
    [
      'no JSON',
      () => [file('x.json', 'hello')],
      /x\.json: found JSON that breaks off or is none: .*, allowed: a trace/,
    ],
    ['JSON of something else', () => [file('y.json', '[1]')], /found JSON that is no document of svmsim/],
    [
      'a document of another command',
      () => [file('z.json', '{"command":"bench"}')],
      /found a document of svmsim bench/,
    ],
    [
      'a sweep',
      () => [file('s.json', '{"command":"run","svmsim":"1","seed":null,"seeds":{"first":1,"last":2}}')],
      /found a sweep over seeds, allowed: .*the JSON document of one run/,
    ],
    ['a damaged document', () => [file('w.json', '{"command":"run","svmsim":1}')], /damaged at svmsim/],
    ['a trace that was cut off', () => [file('t.svmtrace', 'svmtrace')], /t\.svmtrace: found/],
    ['a failure that was altered', () => [file('f.bin', 'svmsim failure\nxx')], /f\.bin: found/],
    ['three files', () => [result('c.json'), result('d.json'), result('e.json')], /found 3 files/],
    [
      'a failure to compare',
      () => [result('g.json'), file('h.bin', 'svmsim failure\n')],
      /found a failure file/,
    ],
    [
      'a page that cannot be written',
      () => [result('i.json'), '-o', join(folder, 'no', 'page.html')],
      /page\.html/,
    ],
  ])('refuses %s in one line', async (_what, words, message) => {
    const { status, host } = await report(...words());
    expect(status).toBe(ExitStatus.BadInput);
    expect(host.stderr.text).toMatch(message);
    expect(host.stderr.text.trim().split('\n')).toHaveLength(1);
  });
});
