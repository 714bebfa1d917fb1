/** Case files: what is read, and how a mistake is told with file, position, key, what was found and what is allowed. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../../src/base/userError.js';
import { loadCaseFile, loadCaseFiles } from '../../../src/scenario/case/loadCases.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'svmsim-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function file(text: string, name = 'cases.json'): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function mistakeIn(text: string): UserError {
  try {
    loadCaseFile(file(text));
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('the file was accepted');
}

/** A file of one case with these steps and expectations, each on a line of its own from line 3 on. */
function withSteps(steps: readonly string[], expectations: readonly string[] = []): string {
  return `[{"suite": "s", "name": "n",\n"steps": [\n${steps.join(',\n')}],\n"expect": [${expectations.join(',\n')}]}]\n`;
}

const MMAP = '{"op": "mmap", "args": {"buf": "A", "pages": 4, "prot": "rw"}, "as": "m"}';

describe('a case file', () => {
  it('is a list of cases, with defaults for what is left out', () => {
    const [one] = loadCaseFile(file(withSteps([MMAP], ['{"type": "ret", "step": "m", "value": 0}'])));
    expect(one).toMatchObject({ suite: 's', name: 'n', needs: [], deterministic: true });
    expect(one.steps[0].args).toMatchObject({ share: 'private', backing: 'anon' });
  });

  it('may be a folder of files, in order of their names', () => {
    file(withSteps([MMAP]), 'b.json');
    file(withSteps([MMAP]), 'a.json');
    file('no case file', 'notes.txt');
    expect(loadCaseFiles([directory]).map(({ path }) => path)).toEqual([
      join(directory, 'a.json'),
      join(directory, 'b.json'),
    ]);
  });

  it('with an unknown operation is refused', () => {
    const error = mistakeIn(withSteps([MMAP, '{"op": "mmapp", "args": {}}']));
    expect(error).toMatchObject({ line: 4, key: '0.steps.1.op', found: '"mmapp"' });
    expect(error.message).toMatch(/cases\.json:4:2: key '0\.steps\.1\.op'/);
    expect(error.allowed).toContain('munmap');
    expect(error.exitCode).toBe(2);
  });

  it('with an unknown argument is refused, with the one that was meant', () => {
    const error = mistakeIn(withSteps(['{"op": "munmap", "args": {"buf": "A", "of": 0}}']));
    expect(error).toMatchObject({ line: 3, key: '0.steps.0.args.of', found: 'an unknown key' });
    expect(error.hint).toBe("did you mean 'off'?");
  });

  it('with a value of a wrong kind is refused, also within blocks', () => {
    const inner = '{"op": "cpu_read", "args": {"buf": "A", "off": -1}}';
    const error = mistakeIn(withSteps([`{"op": "concurrent", "args": {"branches": [[\n${inner}]]}}`]));
    expect(error).toMatchObject({ line: 4, key: '0.steps.0.args.branches.0.0.args.off', found: '-1' });
    expect(error.allowed).toBe('a whole number of at least 0');
  });

  it('with an unknown expectation, or one of a step that is not there, is refused', () => {
    expect(mistakeIn(withSteps([MMAP], ['{"type": "rets", "step": "m", "value": 0}']))).toMatchObject({
      key: '0.expect.0.type',
      found: '"rets"',
    });
    expect(mistakeIn(withSteps([MMAP], ['{"type": "ret", "step": "x", "value": 0}']))).toMatchObject({
      key: '0.expect.0.step',
      found: '"x"',
      allowed: 'the label of a step: m',
    });
  });

  it('with two steps of one label is refused, also within blocks', () => {
    const again = '{"op": "cpu_read", "args": {"buf": "A"}, "as": "m"}';
    const error = mistakeIn(withSteps([MMAP, `{"op": "concurrent", "args": {"branches": [[\n${again}]]}}`]));
    expect(error).toMatchObject({
      line: 5,
      key: '0.steps.1.args.branches.0.0.as',
      found: 'the label m once more',
      allowed: 'a label that no other step of the case has',
    });
  });

  it('is refused where another one of the file has its suite, name and variant', () => {
    const [one] = JSON.parse(withSteps([MMAP]));
    const write = (...others: object[]): string => file(JSON.stringify([one, ...others]));
    expect(loadCaseFile(write({ ...one, variant: 'v' }, { ...one, name: 'other' }))).toHaveLength(3);
    expect(() => loadCaseFile(write({ ...one, name: 'other' }, one))).toThrow(
      `key '2.name': found the case ${one.suite} ${one.name} once more, allowed: a suite, name and variant that no other case of the file has`,
    );
  });

  it('with more branches at the same time than there can be threads is refused, those within counted', () => {
    const wide = (count: number, inner: string) =>
      `{"op": "repeat", "args": {"count": 2, "steps": [{"op": "repeat_processes", "args": {"count": ${count}, "steps": [${inner}]}}]}}`;
    const pair = '{"op": "concurrent", "args": {"branches": [[], []]}}';
    expect(loadCaseFile(file(withSteps([MMAP, wide(21, pair), wide(21, pair)])))).toHaveLength(1);
    const error = mistakeIn(withSteps([MMAP, wide(22, pair)]));
    expect(error).toMatchObject({ line: 4, key: '0.steps.1.args', exitCode: 2 });
    expect(error.allowed).toContain('at most 63');
  });

  it.each([
    ['buffer', '{"op": "cpu_read", "args": {"buf": "X"}}', 'buf', 'a buffer that a step maps'],
    [
      'process',
      '{"op": "cpu_read", "args": {"buf": "A", "proc": "c0"}}',
      'proc',
      'p0, or a process that a step forks',
    ],
    ['file', '{"op": "file_read", "args": {"file": "f"}}', 'file', 'a file that a step creates'],
  ])('with a %s that no step makes is refused, also within blocks', (_, step, key, allowed) => {
    const error = mistakeIn(
      withSteps([MMAP, `{"op": "repeat", "args": {"count": 2, "steps": [\n${step}]}}`]),
    );
    expect(error).toMatchObject({ line: 5, key: `0.steps.1.args.steps.0.args.${key}`, allowed });
  });

  it('may name buffers of rounds one by one', () => {
    const map = MMAP.replace('"A"', '"A$i"').replace(', "as": "m"', '');
    const steps = [
      `{"op": "repeat", "args": {"count": 2, "steps": [${map}]}}`,
      '{"op": "cpu_read", "args": {"buf": "A1"}}',
    ];
    expect(loadCaseFile(file(withSteps(steps)))).toHaveLength(1);
  });

  it('may use every name that there is, in whatever order', () => {
    const steps = [
      MMAP,
      '{"op": "gpu_prefetch_hint", "args": {"dev": "gpu0", "addr": "unmapped:Z", "lanes": 1}}',
      '{"op": "mmap", "args": {"buf": "V", "pages": 1, "prot": "r", "backing": "device_file"}}',
      '{"op": "mmap", "args": {"buf": "W", "pages": 1, "prot": "r", "file": "nobody asks"}}',
      '{"op": "advise_preferred_location", "args": {"buf": "A", "dev": "gpu0", "target": "gpu1", "fallback": ["-ENOMEM -> system memory"]}}',
    ];
    const run = (value: number, names: string) =>
      `{"type": "prot", "step": "m", "pages": [{"first": 0, "count": 1, "value": ${value}, "names": ${names}}]}`;
    const expectations = [
      run(6, '["PMD", "WRITE"]'),
      run(0x51, '["READ", "DEV_COHERENT_REMOTE"]'),
      run(255, '["ERROR"]'),
      run(0, '["NONE"]'),
      run(2, '[]'),
      '{"type": "ret", "step": "m", "value": -22}',
      '{"type": "ret", "step": "m", "value": 101}',
      '{"type": "event", "kind": "migrate_start", "buf": "A", "off": 0, "trigger": "eviction"}',
    ];
    expect(loadCaseFile(file(withSteps(steps, expectations)))).toHaveLength(1);
  });

  it('that is no JSON is refused where it ends to be', () => {
    const error = mistakeIn('[\n{"suite": }\n]');
    expect(error.line).toBe(2);
    expect(error.found).toContain('syntax error');
    expect(() => loadCaseFile(join(directory, 'none.json'))).toThrow('no such file');
  });

  it('with an offset beyond every page table is refused', () => {
    const far = (off: number) => `{"op": "munmap", "args": {"buf": "A", "off": ${off}, "pages": 1}}`;
    expect(mistakeIn(withSteps([MMAP, far(1e15)]))).toMatchObject({ line: 4, key: '0.steps.1.args.off' });
    expect(loadCaseFile(file(withSteps([MMAP, far(2 ** 33)])))).toHaveLength(1);
  });

  it('that maps more than any machine has is refused, by the largest of what it maps', () => {
    const map = (buf: string, pages: number) =>
      `{"op": "mmap", "args": {"buf": "${buf}", "pages": ${pages}, "prot": "rw"}}`;
    const one = mistakeIn(withSteps([MMAP, map('B', 100_000_000)]));
    expect(one).toMatchObject({ line: 4, key: '0.steps.1.args.pages' });
    expect(one.found).toMatch(/GiB of RAM and VRAM for all that it maps/);
    const many = Array.from({ length: 20 }, (_, i) => map(`B${i}`, 300_000));
    expect(mistakeIn(withSteps(many)).found).toMatch(/45\.\d+GiB of RAM/);
  });

  it('whose device memory is no size is refused', () => {
    const text = (bytes: number) =>
      `[{"suite": "s", "name": "n",\n"params": {"vram_bytes": ${bytes}}, "steps": [${MMAP}]}]`;
    expect(mistakeIn(text(0))).toMatchObject({ line: 2, key: '0.params.vram_bytes', found: '0' });
    expect(loadCaseFile(file(text(1)))).toHaveLength(1);
  });

  it('with more levels than anybody needs is refused where they become too many', () => {
    const deep = `${'['.repeat(300)}${']'.repeat(300)}`;
    expect(mistakeIn(`[{"suite": "s", "name": "[{",\n"params": ${deep}}]`)).toMatchObject({
      line: 2,
      found: '201 levels of lists and objects',
    });
  });

  it('may have a text of any length, and is told where it ends too early', () => {
    const notes = (text: string): string =>
      `[{"suite": "s", "name": "n", "notes": "${text}", "steps": [${MMAP}], "expect": []}]`;
    expect(loadCaseFile(file(notes('x'.repeat(12_000_000))))).toHaveLength(1);
    expect(loadCaseFile(file(notes('\\"'.repeat(1000))))).toHaveLength(1);
    expect(mistakeIn(`[{"suite": "${'\\"'.repeat(200_000)}`).found).toContain('JSON syntax error');
  });

  it('with a prefetch of two things, or of nothing, is refused', () => {
    const prefetch = (args: string) => `{"op": "prefetch", "args": {"dev": "gpu0", "target": "gpu0"${args}}}`;
    const of = (args: string) => mistakeIn(withSteps([MMAP, prefetch(args)]));
    expect(of('')).toMatchObject({ line: 4, key: '0.steps.1.args', found: 'neither buf nor addr' });
    expect(of(', "buf": "A", "addr": 4096')).toMatchObject({ found: 'buf and addr' });
    expect(of(', "buf": "A", "pages": 1, "bytes": 1')).toMatchObject({ found: 'pages and bytes' });
    const hint = '{"op": "migrate_hint", "args": {"dev": "gpu0"}}';
    expect(mistakeIn(withSteps([hint]))).toMatchObject({ found: 'neither bufs nor ranges' });
  });

  it('knows a device by one name', () => {
    const mirror = (dev: string) => withSteps([`{"op": "bind_mirror", "args": {"dev": "${dev}"}}`]);
    expect(mistakeIn(mirror('gpu00'))).toMatchObject({ found: '"gpu00"' });
    for (const dev of ['gpu0', 'gpu9', 'gpu10', 'gpu99'])
      expect(loadCaseFile(file(mirror(dev)))).toHaveLength(1);
  });

  it('that forks a process which exists is refused; one that has ended may come again', () => {
    const fork = (child: string) => `{"op": "fork", "args": {"child": "${child}"}}`;
    const exit = '{"op": "exit", "args": {"proc": "c0"}}';
    expect(mistakeIn(withSteps([fork('p0')]))).toMatchObject({ line: 3, key: '0.steps.0.args.child' });
    expect(mistakeIn(withSteps([fork('c0'), fork('c0')]))).toMatchObject({ line: 4 });
    expect(loadCaseFile(file(withSteps([fork('c0'), exit, fork('c0')])))).toHaveLength(1);
  });
});
