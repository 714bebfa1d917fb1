/** What `svmsim case` says to each mistake: one message that names the place, what was found and what is allowed, and exit 2. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { loadCaseFiles } from '../../src/scenario/case/loadCases.js';
import { tempFolder } from '../tempFolder.js';
import { FakeHost } from './fakeHost.js';

const folder = tempFolder();

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.loadCases = (paths) => loadCaseFiles(paths).flatMap(({ cases }) => cases);
});

let files = 0;

function file(text: string): string {
  const path = join(folder, `case${files++}.json`);
  writeFileSync(path, text);
  return path;
}

const MMAP = '{"op": "mmap", "args": {"buf": "A", "pages": 1, "prot": "rw"}, "as": "m"}';

/** A case of which one step or expectation stands in the second line. */
function caseWith(step: string, expectation = ''): string {
  return `[{"suite": "s", "name": "n", "steps": [${MMAP}\n${step === '' ? '' : `, ${step}`}], "expect": [${expectation}]}]`;
}

/** What a snapshot shows of one page. */
function prot(value: number, names: string): string {
  const run = `{"first": 0, "count": 1, "value": ${value}, "names": ${names}}`;
  return `{"type": "prot", "step": "m", "pages": [${run}]}`;
}

async function complaint(...words: string[]): Promise<string> {
  expect(await runCli(['case', ...words], host)).toBe(2);
  expect(host.stdout.text).toBe('');
  return host.stderr.text;
}

const good = file(caseWith(''));

describe('a mistake in a case file', () => {
  const mistakes: readonly (readonly [string, string, RegExp])[] = [
    [
      'an unknown operation',
      caseWith('{"op": "mmapp", "args": {}}'),
      /:2:\d+: key '0\.steps\.1\.op': found "mmapp", allowed: .*\bmmap\b/,
    ],
    [
      'a wrong type',
      caseWith('{"op": "munmap", "args": {"buf": "A", "off": "x", "pages": 1}}'),
      /:2:\d+: key '0\.steps\.1\.args\.off': found "x", allowed: a whole number/,
    ],
    [
      'an unknown argument',
      caseWith('{"op": "munmap", "args": {"buf": "A", "of": 0, "pages": 1}}'),
      /:2:\d+: key '0\.steps\.1\.args\.of': found an unknown key, allowed: .*off.*did you mean 'off'\?/,
    ],
    [
      'a missing argument',
      caseWith('{"op": "mremap", "args": {"buf": "A", "off": 0, "pages": 1, "to": "fresh"}}'),
      /:2:\d+: key '0\.steps\.1\.args\.new_buf': found nothing, allowed: a name/,
    ],
    [
      'an unknown expectation',
      caseWith('', '{"type": "wish", "step": "m"}'),
      /:2:\d+: key '0\.expect\.0\.type': found "wish", allowed: .*\bret\b/,
    ],
    [
      'an errno that there is not',
      caseWith('', '{"type": "ret", "step": "m", "value": "-EFAULTT"}'),
      /:2:\d+: key '0\.expect\.0\.value': found "-EFAULTT", allowed: 0, nonzero, .*-EFAULT,/,
    ],
    [
      'an unknown key of an expectation',
      caseWith('', '{"type": "ret", "step": "m", "valu": 0}'),
      /:2:\d+: key '0\.expect\.0\.valu': found an unknown key, allowed: .*did you mean 'value'\?/,
    ],
    [
      'an expectation of a step that has no label',
      caseWith('', '{"type": "ret", "step": "x", "value": 0}'),
      /:2:\d+: key '0\.expect\.0\.step': found "x", allowed: the label of a step/,
    ],
    [
      'a buffer that nobody maps',
      caseWith('{"op": "cpu_read", "args": {"buf": "Z", "off": 0}}'),
      /:2:\d+: key '0\.steps\.1\.args\.buf': found "Z", allowed: a buffer that a step maps/,
    ],
    [
      'data of no pages',
      caseWith('', '{"type": "data", "step": "m", "pages": 0, "equals": {"p": "zero"}}'),
      /:2:\d+: key '0\.expect\.0\.pages': found 0, allowed: a whole number of at least 1/,
    ],
    [
      'a snapshot of no pages',
      caseWith('', '{"type": "prot", "step": "m", "pages": []}'),
      /:2:\d+: key '0\.expect\.0\.pages': found \[\], allowed: a list of at least one run of pages/,
    ],
    [
      'an unknown name of what a snapshot shows',
      caseWith('', prot(2, '["WRTE"]')),
      /:2:\d+: key '0\.expect\.0\.pages\.0\.names\.0': found "WRTE", allowed: one of: NONE, .*WRITE/,
    ],
    [
      'names that are not those of the value',
      caseWith('', prot(6, '["READ"]')),
      /:2:\d+: key '0\.expect\.0\.pages\.0\.names': found \["READ"\], allowed: the names of the value, WRITE\|PMD \(0x06\)/,
    ],
    [
      'a pagemap of which nothing is said',
      caseWith('', '{"type": "pagemap", "step": "m"}'),
      /:2:\d+: key '0\.expect\.0': found .*allowed: present, swap or soft_dirty/,
    ],
    [
      'a condition without anything that must hold',
      caseWith('', '{"type": "if_ret_zero", "step": "m", "then": []}'),
      /:2:\d+: key '0\.expect\.0\.then': found \[\], allowed: a list of at least one expectation/,
    ],
    [
      'a number that is no errno',
      caseWith('', '{"type": "ret", "step": "m", "value": -23}'),
      /:2:\d+: key '0\.expect\.0\.value': found -23, allowed: 0, nonzero, .*-EFAULT,/,
    ],
    [
      'an unknown kind of event',
      caseWith('', '{"type": "event", "kind": "joy", "buf": "A", "off": 0}'),
      /:2:\d+: key '0\.expect\.0\.kind': found "joy", allowed: one of: gpu_memory_fault, migrate_start/,
    ],
    [
      'an unknown trigger',
      caseWith('', '{"type": "event", "kind": "migrate_start", "buf": "A", "off": 0, "trigger": "joy"}'),
      /:2:\d+: key '0\.expect\.0\.trigger': found "joy", allowed: one of: prefetch, /,
    ],
    [
      'an unknown counter',
      caseWith('{"op": "read_counter", "args": {"dev": "gpu0", "counter": "svm_pagefault_counts"}}'),
      /:2:\d+: key '0\.steps\.1\.args\.counter': found "svm_pagefault_counts", .*did you mean 'svm_pagefault_count'\?/,
    ],
    [
      'a prefetch instruction for a buffer that nobody maps',
      caseWith('{"op": "gpu_prefetch_hint", "args": {"dev": "gpu0", "addr": "Z", "lanes": 1}}'),
      /:2:\d+: key '0\.steps\.1\.args\.addr': found "Z", allowed: a buffer that a step maps/,
    ],
    [
      'a hint about a buffer that nobody maps',
      caseWith('{"op": "migrate_hint", "args": {"target": "sys", "ranges": [["A", 0, 0], ["Z", 0, 0]]}}'),
      /:2:\d+: key '0\.steps\.1\.args\.ranges\.1\.0': found "Z", allowed: a buffer that a step maps/,
    ],
    [
      'an unknown flag',
      caseWith(
        '{"op": "svm_register", "args": {"buf": "A", "dev": "gpu0", "prefetch": "sys", "preferred": "sys", "flags": ["coherence"], "access": "gpu0"}}',
      ),
      /:2:\d+: key '0\.steps\.1\.args\.flags\.0': found "coherence", allowed: one of: .*\bcoherent\b/,
    ],
    [
      'a fallback that is none',
      caseWith(
        '{"op": "advise_preferred_location", "args": {"buf": "A", "dev": "gpu0", "target": "gpu1", "fallback": ["sys"]}}',
      ),
      /:2:\d+: key '0\.steps\.1\.args\.fallback\.0': found "sys", allowed: 'any error' or a negative errno/,
    ],
    [
      'a mapping of no file',
      caseWith('{"op": "mmap", "args": {"buf": "B", "pages": 1, "prot": "r", "backing": "file"}}'),
      /:2:\d+: key '0\.steps\.1\.args\.file': found nothing, allowed: a file that a step creates/,
    ],
    [
      'a mapping of a device file of no device',
      caseWith(
        '{"op": "mmap", "args": {"buf": "B", "pages": 1, "prot": "r", "backing": "device_file", "file": "F"}}',
      ),
      /:2:\d+: key '0\.steps\.1\.args\.file': found "F", allowed: a device from gpu0 to gpu99/,
    ],
    [
      'a key that stands twice',
      caseWith('{"op": "munmap", "args": {"buf": "A", "off": 0,\n"\\u006fff": 1}}'),
      /:3:1: key 'off': found the key for the second time, allowed: each key of an object once/,
    ],
    [
      'malformed JSON',
      '[{"suite": "s",\n "name": n}]',
      /:2:\d+: found a JSON syntax error: .*allowed: a case file/,
    ],
    ['an empty file', '', /:1:1: found a JSON syntax error: .*allowed: a case file/],
    ['no list', '{"suite": "s"}', /:1:1: found .*allowed: a list of cases/],
    ['an empty list', '[]', /:1:1: found \[\], allowed: a list with at least one case/],
  ];

  it.each(mistakes)('%s is told with file, line and key', async (_, text, message) => {
    const path = file(text);
    const told = await complaint(path);
    expect(told.startsWith(`svmsim: ${path}:`)).toBe(true);
    expect(told).toMatch(message);
    expect(told.trimEnd()).not.toContain('\n');
  });
});

describe('a mistake on the command line', () => {
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  const unwritable = join(folder, 'none', 'x.xml');
  const mistakes: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['an empty folder', [empty], /empty: found a folder without \.json files, allowed: a case file/],
    ['a missing file', [join(folder, 'no.json')], /no\.json: found no such file, allowed: a case file/],
    ['no file', [], /missing required argument 'file'/],
    [
      'a filter that is no pattern',
      [good, '--filter', '('],
      /--filter \(: found .*allowed: a regular expression/,
    ],
    [
      'a filter that nothing matches',
      [good, '--filter', 'zzz'],
      /--filter zzz: found no case that matches, allowed: /,
    ],
    [
      'a file that cannot be written',
      [good, '--junit', unwritable],
      /--junit .*x\.xml: found no such directory/,
    ],
    ['a folder to write to', [good, '--json', empty], /--json .*empty: found a directory, allowed: a file/],
    ['JUnit on standard output', [good, '--junit', '-'], /--junit -: found standard output, allowed: a file/],
    [
      'a stride of 0',
      [good, '--fail-allocations', '--fail-stride', '0'],
      /--fail-stride: found 0, allowed: a whole number from 1 to/,
    ],
    [
      'checkers beside failures',
      [good, '--fail-allocations', '--checks', 'I3'],
      /--checks I3: found --fail-allocations, allowed: one of both/,
    ],
    [
      'a stride of nothing',
      [good, '--fail-stride', '3'],
      /--fail-stride 3: found no --fail-allocations, allowed: both/,
    ],
    [
      'failures in an order that does not repeat',
      [good, '--fail-allocations', '--executor', 'threads'],
      /--fail-allocations: found --executor threads, allowed: virtual/,
    ],
    [
      'an unknown executor',
      [good, '--executor', 'fast'],
      /'fast' is invalid\. Allowed choices are virtual, threads/,
    ],
    [
      'a seed below 0',
      [good, '--seed', '-1'],
      /--seed: found -1, allowed: a whole number from 0 to 4294967295/,
    ],
    ['no jobs', [good, '--jobs', '0'], /--jobs: found 0, allowed: a whole number from 1/],
    [
      'jobs that would share cores',
      [good, '--jobs', '2', '--executor', 'threads'],
      /--jobs 2: found --executor threads, allowed: 1 with that executor/,
    ],
    ['an unknown option', [good, '--frob'], /unknown option '--frob'/],
  ];

  it.each(mistakes)('%s is told with what is allowed', async (_, words, message) => {
    expect(await complaint(...words)).toMatch(message);
  });

  it('is told before anything runs', async () => {
    host.runCase = async () => {
      throw new Error('a case ran');
    };
    await complaint(good, '--junit', unwritable);
  });
});
