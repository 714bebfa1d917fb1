/** The tool that lets allocations fail in copies of its process: as many runs as allocations, and a copy that finds something is heard. */

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tempFolder } from '../tempFolder.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TOOL = 'tools/failures/failEach.ts';
const folder = tempFolder();

function runTool(...args: readonly string[]) {
  const node = ['--single-threaded', '--import', 'tsx', ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, node, { cwd: ROOT, encoding: 'utf8' });
  return { status, stdout, stderr };
}

function failEach(name: string, steps: readonly object[]) {
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify([{ suite: 's', name, steps, expect: [] }]));
  return runTool(TOOL, path);
}

/** Three allocations are asked for; each copy ends as `endings` says. */
function endCopies(endings: readonly string[]) {
  const path = join(folder, 'endings.mts');
  writeFileSync(
    path,
    `import { CopyingInjector } from '${ROOT}tools/failures/copyingInjector.ts';
     import { endCopy } from '${ROOT}tools/failures/processCopy.ts';
     const endings = [${endings.map((ending) => `() => ${ending}`).join(', ')}];
     const said = [];
     const injector = new CopyingInjector({ jobs: 2, from: 1, to: 3, print: (line) => said.push(line) });
     for (const ending of endings) if (injector.shouldFail(0)) ending();
     injector.awaitAll();
     console.log(JSON.stringify({ copies: injector.copies, broken: injector.broken, said }));`,
  );
  return JSON.parse(runTool(path).stdout);
}

describe.runIf(process.platform === 'linux')('allocations that fail in copies of a process', () => {
  it('are each tried once, as those of `svmsim case --fail-allocations`', () => {
    const { status, stdout, stderr } = failEach('store', [
      { op: 'mmap', args: { buf: 'A', pages: 1, prot: 'rw' } },
      { op: 'cpu_store32', args: { buf: 'A', dword: 0, value: 7 } },
    ]);
    expect(stderr).toBe('');
    expect(stdout).toContain('1 cases, 6 allocations, 6 runs, 0 broken');
    expect(status).toBe(0);
  });

  it('are counted as broken where a copy finds something or is killed', () => {
    expect(endCopies(['endCopy(0)', 'endCopy(1)', 'process.abort()'])).toEqual({
      copies: 3,
      broken: 2,
      said: ['allocation 3: the simulator itself failed, exit status none'],
    });
  });

  it.each([
    { args: [], said: 'FILE: found nothing, allowed: one case file or more' },
    { args: ['none.json'], said: 'none.json: found no such file, allowed' },
    { args: ['--jobs', 'x', 'none.json'], said: '--jobs: found x, allowed: a whole number from 1' },
    { args: ['--steps-after=-1', 'none.json'], said: '--steps-after: found -1' },
    {
      args: ['--from', '9', '--to', '8', 'none.json'],
      said: '--to: found 8, allowed: a whole number from 9',
    },
    { args: ['--bogus', 'none.json'], said: "found Unknown option '--bogus'" },
  ])('are not tried where the command line says $args', ({ args, said }) => {
    const { status, stdout, stderr } = runTool(TOOL, ...args);
    expect(stderr).toContain(`failEach: ${said}`);
    expect(stderr).not.toContain('    at ');
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });
});
