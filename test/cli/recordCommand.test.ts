/** `svmsim record` and `svmsim import`: what is written, what is said, and with which status they end. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { recordCommand } from '../../src/cli/recordCommand.js';
import { tempFolder } from '../tempFolder.js';
import { FakeHost } from './fakeHost.js';

const folder = tempFolder();
const hasStrace = spawnSync('strace', ['-V']).error === undefined;
let host = new FakeHost();

beforeEach(() => {
  host = new FakeHost();
});

describe('record', () => {
  const trace = '7 1700000000.000001 brk(NULL) = 0x1000\n7 1700000000.000002 +++ exited with 3 +++\n';

  it('gives strace the command, passes its status on and says what was recorded', async () => {
    const output = join(folder, 'app.strace');
    const launched: (readonly string[])[] = [];
    const status = await recordCommand(
      ['./app', '--size', '100'],
      { output },
      host,
      async (program, args) => {
        launched.push([program, ...args]);
        writeFileSync(`${output}.${process.pid}.partial`, trace);
        return 3;
      },
    );
    expect(status).toBe(3);
    expect(launched).toEqual([
      [
        'strace',
        '-f',
        '-qq',
        '-ttt',
        '-o',
        `${output}.${process.pid}.partial`,
        '-e',
        'trace=%memory,%process',
        '--',
        './app',
        '--size',
        '100',
      ],
    ]);
    expect(host.stderr.text).toContain('./app ended with status 3');
    expect(host.stderr.text).toContain(`${output}: process 7: 2 calls of 1 thread`);
    expect(host.stderr.text).toContain('  - kind: trace');
    expect(host.stdout.text).toBe('');
    expect(readFileSync(output, 'utf8')).toBe(trace);
    expect(existsSync(`${output}.${process.pid}.partial`)).toBe(false);
  });

  it.each([null, 1])(
    'leaves an earlier recording alone where nothing is recorded (status %s)',
    async (status) => {
      const output = join(folder, 'earlier.strace');
      writeFileSync(output, trace);
      const recorded = recordCommand(['app'], { output }, host, async () => {
        // What a recorder that cannot be started has left is none of its own.
        writeFileSync(`${output}.${process.pid}.partial`, status === null ? 'a note' : '');
        return status;
      });
      await expect(recorded).rejects.toThrow(status === null ? /no strace/ : /app, which cannot be started/);
      expect(readFileSync(output, 'utf8')).toBe(trace);
      expect(existsSync(`${output}.${process.pid}.partial`)).toBe(false);
    },
  );

  it('says so where there is no strace', async () => {
    const output = join(folder, 'none.strace');
    const recorded = recordCommand(['app'], { output }, host, async () => null);
    await expect(recorded).rejects.toThrow(
      /record: found no strace on this machine, allowed: strace in one of the folders of PATH/,
    );
  });

  it('refuses what is no file', async () => {
    const launch = async (): Promise<number> => 0;
    await expect(recordCommand(['app'], { output: '/dev/null' }, host, launch)).rejects.toThrow(
      '--output /dev/null: found something else than a file',
    );
  });

  it('refuses a file that cannot be written before the command has run', async () => {
    const launch = async (): Promise<number> => {
      throw new Error('it has run');
    };
    const output = join(folder, 'absent', 'x.strace');
    await expect(recordCommand(['app'], { output }, host, launch)).rejects.toThrow(/--output .*found/);
  });

  it.runIf(hasStrace)('records a real program', async () => {
    const output = join(folder, 'real.strace');
    expect(await runCli(['record', '--quiet', '-o', output, '--', 'sh', '-c', 'exit 5'], host)).toBe(5);
    expect(readFileSync(output, 'utf8')).toMatch(/^\d+ +\d+\.\d+ execve\(/);
    expect(await runCli(['record', '-o', output, '--', join(folder, 'nothing')], host)).toBe(2);
    expect(host.stderr.text).toMatch(/found .*nothing, which cannot be started/);
  });

  it.runIf(hasStrace)(
    'tells of a program that is not there in one line, without what strace says of it',
    () => {
      const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
      const words = [
        '--import',
        'tsx',
        main,
        'record',
        '-o',
        join(folder, 'x.strace'),
        '--',
        'no-such-program',
      ];
      const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
      expect(stderr).toBe(
        'svmsim: record: found no-such-program, which cannot be started, allowed: a program\n',
      );
      expect(status).toBe(2);
    },
  );
});

describe('import', () => {
  const recording = fileURLToPath(new URL('../mm-traces/python-buffers.perf-trace', import.meta.url));

  it('writes what a scenario names, and never over a file unless told', async () => {
    const output = join(folder, 'python.strace');
    expect(await runCli(['import', recording, '-o', output], host)).toBe(0);
    expect(host.stdout.text).toMatch(
      /python\.strace \(from perf-trace\): process 5892: 73 calls of 3 threads/,
    );
    expect(host.stdout.text).toContain('  - kind: trace\n');
    expect(await runCli(['import', recording, '-o', output], host)).toBe(2);
    expect(host.stderr.text).toContain(
      'found a file that is there already, allowed: a new file with -o, or --force',
    );
    expect(await runCli(['import', recording, '-o', output, '--force'], host)).toBe(0);
  });

  it('checks tables of accesses', async () => {
    const table = join(folder, 'table.csv');
    const output = join(folder, 'table.out.csv');
    writeFileSync(table, 'time,device,address,size,kind\n2,1,0x2000,4,read\n1,cpu,0x1000,4,write\n');
    expect(await runCli(['import', table, '-o', output], host)).toBe(0);
    expect(readFileSync(output, 'utf8')).toBe(
      'time,device,address,size,kind\n1,cpu,0x1000,4096,write\n2,gpu1,0x2000,4096,read\n',
    );
    expect(host.stdout.text).toContain(
      '2 accesses of 2 devices (the CPU counts as one) to 2 pages, 1 of them stores',
    );
  });

  it('blames --pid for a process that is not there, and names those that are', async () => {
    const strace = join(folder, 'two.strace');
    writeFileSync(
      strace,
      '100 1.000001 brk(NULL) = 0x1000\n101 1.000002 brk(NULL) = 0x2000\n100 1.000003 +++ exited with 0 +++\n',
    );
    const target = ['-o', join(folder, 'two.out.strace')];
    expect(await runCli(['import', strace, '--pid', '200', ...target], host)).toBe(2);
    expect(host.stderr.text).toBe(
      `svmsim: --pid 200: found no such process in ${strace}, allowed: a process of the recording: 100, 101\n`,
    );
    expect(await runCli(['import', strace, '--pid', '101', ...target], host)).toBe(2);
    expect(host.stderr.text).toContain(
      '--pid 101: found a recording of strace, of which process 100 is replayed',
    );
    expect(await runCli(['import', strace, '--pid', '100', ...target], host)).toBe(0);
    host = new FakeHost();
    expect(await runCli(['import', recording, '--pid', '7', ...target, '--force'], host)).toBe(2);
    expect(host.stderr.text).toMatch(
      /^svmsim: --pid 7: found no such process in .*allowed: .*recording: .*5892/,
    );
  });

  it('blames a line whose time falls within a thread, and counts those that fall between two', async () => {
    const strace = join(folder, 'times.strace');
    const lines = ['100 1795212018.5', '101 1795212017.5', '100 1795212019.0', '100 1795212018.9'];
    const write = (count: number): void =>
      writeFileSync(
        strace,
        lines
          .slice(0, count)
          .map((line) => `${line} brk(NULL) = 0x1000\n`)
          .join(''),
      );
    const words = ['import', strace, '-o', join(folder, 'times.out.strace')];
    write(4);
    expect(await runCli(words, host)).toBe(2);
    expect(host.stderr.text).toContain(
      'times.strace:4: found the time 1795212018.9 after 1795212019.0 in the same thread',
    );
    write(3);
    expect(await runCli(words, host)).toBe(0);
    expect(host.stdout.text).toContain('; 1 time earlier than on the line above');
  });

  it('refuses --pid for a table of accesses, which has no processes', async () => {
    const table = fileURLToPath(new URL('../mm-traces/accesses.csv', import.meta.url));
    expect(await runCli(['import', table, '--pid', '1', '-o', join(folder, 'a.csv')], host)).toBe(2);
    expect(host.stderr.text).toContain('--pid 1: found a table of accesses, which has no processes');
  });

  it('names the line that it cannot read', async () => {
    const bad = join(folder, 'bad.txt');
    writeFileSync(bad, '     0.100 ( 0.003 ms): a/1 brk() = 0x1000\nnonsense\n');
    expect(await runCli(['import', bad, '-o', join(folder, 'bad.strace')], host)).toBe(2);
    expect(host.stderr.text).toMatch(/bad\.txt:2: found "nonsense", allowed: what perf trace prints/);
  });
});
