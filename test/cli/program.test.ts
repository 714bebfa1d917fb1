/** The command line as a whole: help, usage errors, and the status for each kind of end. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { runCli } from '../../src/cli/program.js';
import { runReport } from '../report/fixtures.js';
import { FakeHost } from './fakeHost.js';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});

describe('help', () => {
  it.each(['run', 'stress', 'bench'])('of %s teaches by example, on standard output', async (command) => {
    expect(await runCli([command, '--help'], host)).toBe(0);
    expect(host.stdout.text).toContain('Examples:');
    expect(host.stdout.text).toContain(`  svmsim ${command}`);
    for (const option of ['--executor', '--seed', '--devices', '--layout', '--set', '--json', '--quiet']) {
      expect(host.stdout.text).toContain(option);
    }
    expect(host.stderr.text).toBe('');
  });

  it.each([
    [['bogus', '--help'], "unknown command 'bogus'"],
    [['-h', 'bogus'], "unknown command 'bogus'"],
    [['run', '--bogus', '--help'], "unknown option '--bogus'"],
    [['case', '--help', '--bogus'], "unknown option '--bogus'"],
  ])('does not hide what nobody knows: %j', async (words, message) => {
    expect(await runCli(words, host)).toBe(2);
    expect(host.stderr.text.split('\n')[0]).toBe(`svmsim: ${message}`);
    expect(host.stdout.text).toBe('');
  });

  it.each([
    [['case', '--help']],
    [['run', '--seed', '5', '-h']],
    [['record', '--help', '--', 'ls', '--bogus']],
  ])('is all that is done with %j', async (words) => {
    expect(await runCli(words, host)).toBe(0);
    expect(host.stdout.text).toContain('Usage: svmsim');
    expect(host.stderr.text).toBe('');
  });

  it('of the program names commands, scenarios and exit statuses', async () => {
    expect(await runCli(['--help'], host)).toBe(0);
    expect(host.stdout.text).toContain('n1-mirror');
    expect(host.stdout.text).toContain('130 interrupted');
  });

  it('of bench says which benchmarks run only by name', async () => {
    expect(await runCli(['bench', '--help'], host)).toBe(0);
    expect(host.stdout.text.replace(/\s+/g, ' ')).toContain('(default: all but explore and calibrate)');
  });

  it('examples are command lines that are accepted', async () => {
    for (const command of ['run', 'stress', 'bench']) {
      const asked = new FakeHost();
      await runCli([command, '--help'], asked);
      const lines = asked.stdout.text.split('\n').filter((line) => line.startsWith('  svmsim '));
      expect(lines.length).toBeGreaterThan(3);
      for (const line of lines) {
        const words = line
          .replace(/ \|.*/, '')
          .replace('my.yaml', 'stress')
          // The fake simulator measures this test alone, and what is not measured breaks a threshold.
          .replace('migrate.*', 'migrate.host_to_device')
          .replaceAll("'", '')
          .trim()
          .split(' ')
          .slice(1);
        const withoutFiles = words.filter((word) => !word.endsWith('.json'));
        const safe = withoutFiles.map((word, i) =>
          /^--(json|baseline)$/.test(word) && withoutFiles[i + 1] !== '-' ? '--quiet' : word,
        );
        const accepted = new FakeHost();
        const status = await runCli(safe, accepted);
        const said = accepted.stderr.text.replace(/^svmsim: note: .*\n/gm, '');
        expect([line, status, said]).toEqual([line, 0, '']);
      }
    }
  });

  it('without a command goes to standard error as a usage error', async () => {
    expect(await runCli([], host)).toBe(2);
    expect(host.stdout.text).toBe('');
    expect(host.stderr.text).toContain('Usage: svmsim');
  });

  it('gives the version', async () => {
    expect(await runCli(['--version'], host)).toBe(0);
    expect(host.stdout.text).toBe('9.9.9\n');
  });
});

describe('usage errors', () => {
  it.each([
    [['rnu'], "unknown command 'rnu'\n(Did you mean run?)"],
    [['run', '--sede', '1'], "unknown option '--sede'\n(Did you mean --seed?)"],
    [['run', 'a', 'b'], "too many arguments for 'run'"],
    [['run', '--seed'], "option '--seed <n>' argument missing"],
    [['run', '--executor', 'x'], 'Allowed choices are virtual, threads.'],
    [['run', '--layout', 'x'], 'Allowed choices are n1, n1-shared-fault, one-to-one.'],
    [['run', '--seeds', '1..2', '--seed', '1'], 'cannot be used with'],
  ])('%j end with status 2 and one message', async (words, message) => {
    expect(await runCli(words, host)).toBe(2);
    expect(host.stderr.text).toMatch(/^svmsim: /);
    expect(host.stderr.text).toContain(message);
    expect(host.stderr.text).not.toMatch(/ at |\.js:/);
    expect(host.stdout.text).toBe('');
  });
});

it.each([['--json', '-'], ['--json=-']])(
  'a refusal by the options alone is a document where one is asked for: %j',
  async (...json) => {
    expect(await runCli(['run', ...json, '--executor', 'x'], host)).toBe(2);
    const { ok, command, error } = JSON.parse(host.stdout.text);
    expect([ok, command]).toEqual([false, 'run']);
    expect(error.message).toMatch(/^option '--executor <name>' argument 'x' is invalid/);
  },
);

it('a refusal is no document where one is asked of another program', async () => {
  expect(await runCli(['record', '--bogus', '--', 'prog', '--json', '-'], host)).toBe(2);
  expect(host.stdout.text).toBe('');
});

describe('the status', () => {
  it('is 0 when all checks hold', async () => {
    expect(await runCli(['run'], host)).toBe(0);
  });

  it('is 1 when a check failed, also when the run was interrupted', async () => {
    const checks = [{ name: 'content', ok: false, detail: 'lost' }];
    host.run = async () => runReport({ checks });
    expect(await runCli(['run'], host)).toBe(1);
    host.run = async () => runReport({ checks, outcome: 'interrupted' });
    expect(await runCli(['run'], host)).toBe(1);
  });

  it('is 1 when an actor found a rule broken, and 3 when the simulator itself failed', async () => {
    const failure = {
      actor: 'gpu1',
      isVerdict: true,
      message: 'exited with 1 in copyToRam',
      lastSteps: [],
      waits: [],
    };
    host.run = async () => runReport({ outcome: 'failed', failure });
    expect(await runCli(['run'], host)).toBe(1);
    expect(host.stderr.text).toBe('');
    host.run = async () => runReport({ outcome: 'failed', failure: { ...failure, isVerdict: false } });
    expect(await runCli(['run'], host)).toBe(3);
    expect(host.stderr.text).toMatch(/^svmsim: internal error: gpu1 failed\nThis is a bug in svmsim\./);
  });

  it('is 2 for a mistake of the user, with its message alone', async () => {
    host.load = () => {
      throw new UserError({ where: 'x.yaml', line: 3, key: 'devices.count', found: '0', allowed: '1 to 64' });
    };
    expect(await runCli(['run'], host)).toBe(2);
    expect(host.stderr.text).toBe("svmsim: x.yaml:3: key 'devices.count': found 0, allowed: 1 to 64\n");
    expect(host.stdout.text).toBe('');
  });

  it('is 2 when the machine has too little memory, before anything starts', async () => {
    host.check = () => {
      throw new UserError({ found: 'a need of 4TiB', allowed: 'at most 2GiB' });
    };
    expect(await runCli(['run'], host)).toBe(2);
    expect(host.runs).toEqual([]);
  });

  it('is 130 when the user interrupted, with the partial result', async () => {
    host.run = async (_, { signal }) => {
      host.interrupt();
      return runReport({ outcome: signal?.aborted ? 'interrupted' : 'completed' });
    };
    expect(await runCli(['run'], host)).toBe(130);
    expect(host.stdout.text).toContain('PARTIAL: interrupted');
    expect(host.stderr.text).toBe('svmsim: stopping; once more to kill\n');
  });

  it('is 130 when there was nothing yet to report', async () => {
    host.run = async () => {
      host.interrupt();
      throw Object.assign(new Error('aborted'), { name: 'AbortError' });
    };
    expect(await runCli(['run'], host)).toBe(130);
    expect(host.stderr.text).toContain('interrupted before there was a result');
  });
});

describe('an internal error', () => {
  beforeEach(() => {
    host.run = async () => {
      throw new Error('worker gpu1 died in copyToRam');
    };
  });
  afterEach(() => {
    expect(host.stderr.text).toContain('svmsim: internal error: worker gpu1 died in copyToRam\n');
    expect(host.stderr.text).toContain('This is a bug in svmsim.');
  });

  it('is told without a stack and ends with status 3', async () => {
    expect(await runCli(['run'], host)).toBe(3);
    expect(host.stderr.text).not.toContain('    at ');
    expect(host.stderr.text).toContain('SVMSIM_DEBUG=1');
  });

  it('is told with the stack when SVMSIM_DEBUG is 1', async () => {
    host.variables.SVMSIM_DEBUG = '1';
    expect(await runCli(['run'], host)).toBe(3);
    expect(host.stderr.text).toContain('    at ');
  });

  it('leaves standard output one document when it is for JSON', async () => {
    expect(await runCli(['run', '--json', '-'], host)).toBe(3);
    expect(JSON.parse(host.stdout.text)).toMatchObject({
      command: 'run',
      ok: false,
      error: { message: 'worker gpu1 died in copyToRam' },
    });
  });
});
