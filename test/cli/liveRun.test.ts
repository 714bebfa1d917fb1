/** A run of the built program in a process of its own that is watched from outside: the status line in a pipe, SIGUSR1, and the first Ctrl-C. */

import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { tempFolder } from '../tempFolder.js';

const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const folder = tempFolder();
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** Goes on until somebody ends it. */
const ENDLESS = `name: endless
duration: 24h
ram: 16MiB
devices: {count: 2, vram: 1MiB, contexts: 2}
workloads:
  - {kind: pattern, pattern: uniform, size: 256KiB, read-ratio: 0.5, sharing: shared, accesses: 64, rounds: unlimited}
invalidation: {threads: 1, size: 16pages, calls: [munmap, mprotect], operations: unlimited}
`;

/** Reads one stream of a process as it comes. */
class Output {
  text = '';
  private hearer: () => void = () => {};
  private isOver = false;

  constructor(stream: NodeJS.ReadableStream) {
    stream.on('data', (bytes: Buffer) => {
      this.text += bytes.toString();
      this.hearer();
    });
    stream.on('end', () => {
      this.isOver = true;
      this.hearer();
    });
  }

  /** When a whole line matches, from a place on: where the match ends. */
  async until(line: RegExp, from = 0): Promise<number> {
    for (;;) {
      const found = line.exec(this.text.slice(from));
      if (found !== null) return from + found.index + found[0].length;
      if (this.isOver) throw new Error(`no ${line} in ${this.text}`);
      await new Promise<void>((resolve) => {
        this.hearer = resolve;
      });
    }
  }
}

describe.each(['threads', 'virtual'])('a run under %s in a pipe', (executor) => {
  it('keeps status lines, tells what everybody waits for at each SIGUSR1, and ends with partial results at SIGINT', async () => {
    const file = join(folder, `${executor}.yaml`);
    writeFileSync(file, ENDLESS);
    const child = spawn(
      process.execPath,
      [main, 'run', file, '--executor', executor, '--status-interval', '0.001'],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    children.push(child);
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    const stdout = new Output(child.stdout);
    const stderr = new Output(child.stderr);
    const clock = executor === 'threads' ? 'wall' : 'simulated';

    await stderr.until(
      new RegExp(`\\n?\\[${clock}: \\S+, eta \\S+, .* faults/s, .*\\]\\[[RWFIE(),\\d]+\\].*\\n`),
    );
    child.kill('SIGUSR1');
    const head = new RegExp(`svmsim: snapshot after \\S+ ${clock}, running\\n`);
    const first = await stderr.until(head);
    await stderr.until(/\nActor +State +Steps +Sent +To receive\ncoordinator /, first - 1);
    child.kill('SIGUSR1');
    const second = await stderr.until(head, first);
    const told = stderr.text.slice(first, second);
    // Whoever has not begun is idle.
    for (const actor of ['coordinator', 'gpu0', 'gpu1'])
      expect(told).toMatch(new RegExp(`\\n${actor} +[RWFI] `));
    expect(told).toMatch(/\nWho waits for what:\n {2}\S+: /);

    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(stderr.text).toContain('svmsim: stopping; once more to kill\n');
    expect(stdout.text).toContain('PARTIAL: interrupted');
  });
});
