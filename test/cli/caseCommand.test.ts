/** `svmsim case`: which cases it runs, what it prints and writes, and the status that it ends with. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Case, caseSchema } from '../../src/case/caseSchema.js';
import { runCli } from '../../src/cli/program.js';
import type { CaseReport } from '../../src/simulation/case/caseReport.js';
import { abortError, FakeHost, passed } from './fakeHost.js';

let host: FakeHost;
let directory: string;
beforeEach(() => {
  host = new FakeHost();
  host.cases = [caseNamed('read'), caseNamed('write', 'private'), caseNamed('migrate')];
  directory = mkdtempSync(join(tmpdir(), 'svmsim-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function caseNamed(name: string, variant?: string): Case {
  return caseSchema.parse({ suite: 'hmm', name, variant, steps: [], expect: [] });
}

function failed(one: Case): CaseReport {
  const problem = {
    step: 'step 2 (r)',
    expectation: 'ret: ret 0',
    found: 'ret -EFAULT',
    pages: ['A page 0'],
  };
  return { ...passed(one), status: 'fail', problems: [problem] };
}

function skipped(one: Case): CaseReport {
  return { ...passed(one), status: 'skip', missing: 'reclaim' };
}

describe('case', () => {
  it('prints a line per case and the counts of each suite', async () => {
    expect(await runCli(['case', 'a.json'], host)).toBe(0);
    expect(host.stdout.text).toContain('pass  hmm: write [private]\n');
    expect(host.stdout.text).toMatch(/hmm +3 +3 +0 +0\n\nPASSED: 3 cases passed\n$/);
    expect(host.stderr.text).toBe('');
  });

  it('lets allocations fail, in runs that can repeat alone', async () => {
    const strides: (number | undefined)[] = [];
    host.runCase = async (one, { failures }) => {
      strides.push(failures?.stride);
      return { ...passed(one), failures: { allocations: 9, chosen: 5, runs: 5 } };
    };
    expect(await runCli(['case', 'a.json', '--filter', 'read', '--fail-allocations'], host)).toBe(0);
    expect(host.stdout.text).toContain('(5 runs with a failing allocation of 9)');
    expect(host.stdout.text).toMatch(/hmm +1 +1 +0 +0 +9 +5\n\nPASSED: 1 case passed\n$/);
    const every9th = ['--fail-allocations', '--fail-stride', '9'];
    expect(await runCli(['case', 'a.json', '--filter', 'read', ...every9th], host)).toBe(0);
    expect(strides).toEqual([1, 9]);
    expect(await runCli(['case', 'a.json', '--fail-allocations', '--executor', 'threads'], host)).toBe(2);
  });

  it('shares the runs of a long case among workers, and tells of the cases in their order', async () => {
    const parts: string[] = [];
    host.runCase = async (one, { failures }) => {
      const { from = 0, to = 0 } = failures ?? {};
      parts.push(`${one.name} ${from}`);
      if (one.name === 'read') await new Promise((resolve) => setTimeout(resolve, 5));
      const chosen = one.name === 'write' ? 450 : 3;
      return { ...passed(one), failures: { allocations: chosen, chosen, runs: Math.min(chosen, to) - from } };
    };
    expect(await runCli(['case', 'a.json', '--fail-allocations', '--jobs', '2'], host)).toBe(0);
    expect(host.poolJobs).toBe(2);
    expect(host.poolsOpen).toBe(0);
    expect(parts.sort()).toEqual(['migrate 0', 'read 0', 'write 0', 'write 200', 'write 400']);
    expect(host.stdout.text.match(/^pass.*$/gm)).toEqual([
      'pass  hmm: read (3 runs with a failing allocation)',
      'pass  hmm: write [private] (450 runs with a failing allocation)',
      'pass  hmm: migrate (3 runs with a failing allocation)',
    ]);
  });

  it('counts an internal error against its case alone, and ends with 3', async () => {
    host.runCase = async (one) => {
      if (one.name === 'read') throw new Error('page lost');
      return passed(one);
    };
    for (const jobs of ['1', '2']) {
      expect(await runCli(['case', 'a.json', '--jobs', jobs], host)).toBe(3);
      expect(host.poolsOpen).toBe(0);
      expect(host.stdout.text).toContain('fail  hmm: read\n');
      expect(host.stdout.text).toContain('internal error: page lost');
      expect(host.stdout.text).toContain('FAILED: 1 case failed (1 by an internal error), 2 cases passed');
      expect(host.stderr.text).toContain('This is a bug in svmsim');
    }
  });

  it('says which cases pass because nothing is expected', async () => {
    host.runCase = async (one) =>
      one.name === 'read' ? { ...passed(one), expectsNothing: true } : passed(one);
    expect(await runCli(['case', 'a.json'], host)).toBe(0);
    expect(host.stdout.text).toContain('pass  hmm: read (nothing expected)\n');
    expect(host.stdout.text).toContain('pass  hmm: migrate\n');
  });

  it('runs what the filter names, and lists without running', async () => {
    expect(await runCli(['case', 'a.json', '--filter', 'private|migrate', '--list'], host)).toBe(0);
    expect(host.stdout.text).toBe('hmm: write [private]\nhmm: migrate\n');
    expect(await runCli(['case', 'a.json', '--filter', '('], host)).toBe(2);
    expect(await runCli(['case', 'a.json', '--filter', 'nothing'], host)).toBe(2);
  });

  it('lists as a document too', async () => {
    expect(await runCli(['case', 'a.json', '--list', '--json', '-'], host)).toBe(0);
    const { svmsim, command, results } = JSON.parse(host.stdout.text);
    expect({ svmsim, command }).toEqual({ svmsim: host.environment().svmsim, command: 'case' });
    expect(results).toContainEqual({ suite: 'hmm', name: 'migrate', variant: null });
  });

  it.each([
    ['--jobs', '2'],
    ['--junit', 'out.xml'],
    ['--seed', '5'],
    ['--executor', 'threads'],
    ['--fail-stride', '2'],
  ])('refuses --list with %s, which would have no effect', async (option, value) => {
    expect(await runCli(['case', 'a.json', '--list', option, value], host)).toBe(2);
    expect(host.stderr.text).toContain(`--list: found together with ${option}`);
    expect(host.stdout.text).toBe('');
  });

  it('ends with 1 when one fails, and tells step, expectation, what was found and the pages', async () => {
    host.runCase = async (one) => (one.name === 'migrate' ? failed(one) : passed(one));
    expect(await runCli(['case', 'a.json'], host)).toBe(1);
    const told = [
      'fail  hmm: migrate',
      'step 2 (r)',
      'expected ret: ret 0',
      'found    ret -EFAULT',
      'A page 0',
    ];
    for (const text of told) expect(host.stdout.text).toContain(text);
  });

  it('names what a skipped case needs, and ends with 0', async () => {
    host.runCase = async (one) => skipped(one);
    expect(await runCli(['case', 'a.json'], host)).toBe(0);
    expect(host.stdout.text).toContain('skip  hmm: read: reclaim is missing');
  });

  it('writes one JSON document with a result per case', async () => {
    host.runCase = async (one) => (one.name === 'read' ? failed(one) : skipped(one));
    expect(await runCli(['case', 'a.json', '--json', '-'], host)).toBe(1);
    const document = JSON.parse(host.stdout.text);
    expect(document).toMatchObject({
      command: 'case',
      ok: false,
      partial: false,
      seed: 1,
      executor: 'virtual',
    });
    expect(document.results).toHaveLength(3);
    expect(document.results[0]).toMatchObject({ suite: 'hmm', name: 'read', variant: null, status: 'fail' });
    expect(document.results[0].detail).toContain('ret -EFAULT');
    expect(document.results[1]).toMatchObject({
      variant: 'private',
      status: 'skip',
      detail: 'reclaim is missing',
    });
  });

  it('writes JUnit XML, escaped', async () => {
    const path = join(directory, 'results.xml');
    host.cases = [caseNamed('a<b>&"c"')];
    host.runCase = async (one) => failed(one);
    expect(await runCli(['case', 'a.json', '--junit', path], host)).toBe(1);
    const xml = readFileSync(path, 'utf8');
    expect(xml).toContain('<testsuite name="hmm" tests="1" failures="1" errors="0" skipped="0"');
    expect(xml).toContain('name="a&lt;b&gt;&amp;&quot;c&quot;"');
    expect(await runCli(['case', 'a.json', '--junit', directory], host)).toBe(2);
  });

  it('ends with 130 when it is interrupted, with what there is', async () => {
    host.runCase = async (one) => {
      if (one.name === 'write') host.interrupt();
      return passed(one);
    };
    expect(await runCli(['case', 'a.json', '--json', '-'], host)).toBe(130);
    expect(JSON.parse(host.stdout.text)).toMatchObject({ partial: true, ok: true });
    expect(JSON.parse(host.stdout.text).results).toHaveLength(2);
  });

  it('says in text and in JUnit XML that it was interrupted', async () => {
    const path = join(directory, 'results.xml');
    host.runCase = async (one) => {
      if (one.name === 'write') host.interrupt();
      return passed(one);
    };
    expect(await runCli(['case', 'a.json', '--junit', path], host)).toBe(130);
    expect(host.stdout.text).toMatch(/\nPARTIAL: interrupted after 2 of 3 cases; 2 cases passed\n$/);
    const xml = readFileSync(path, 'utf8');
    expect(xml).toContain('<testsuites tests="3" failures="0" errors="1"');
    expect(xml).toContain('<error message="interrupted: 1 case not run"/>');
  });

  it('ends with what all came to', async () => {
    const outcomes = [failed, skipped, passed];
    host.runCase = async (one) => (outcomes.shift() ?? passed)(one);
    expect(await runCli(['case', 'a.json'], host)).toBe(1);
    expect(host.stdout.text).toMatch(/\nFAILED: 1 case failed, 1 case passed, 1 skipped\n$/);
  });

  it('drops a case that the signal ended', async () => {
    host.runCase = async () => {
      host.interrupt();
      throw abortError();
    };
    expect(await runCli(['case', 'a.json'], host)).toBe(130);
  });

  it('shows progress on a terminal only, and passes the options on', async () => {
    const seen: unknown[] = [];
    host.runCase = async (one, { executor, seed }) => {
      seen.push([executor, seed]);
      return passed(one);
    };
    host.stderr.isTTY = true;
    expect(await runCli(['case', 'a.json', '--executor', 'threads', '--seed', '7'], host)).toBe(0);
    expect(host.stderr.text).toContain('0/3 hmm: read');
    expect(seen).toEqual([
      ['threads', 7],
      ['threads', 7],
      ['threads', 7],
    ]);
    host.stderr.text = '';
    expect(await runCli(['case', 'a.json', '--quiet'], host)).toBe(0);
    expect(host.stderr.text).toBe('');
    expect(await runCli(['case', 'a.json', '--seed', 'x'], host)).toBe(2);
    expect(await runCli(['case'], host)).toBe(2);
  });
});
