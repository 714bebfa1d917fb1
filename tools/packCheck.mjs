/** What a newcomer does: packs the package, installs it in an empty folder, and uses command line and library there. Needs the registry for dependencies. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'svmsim-pack-'));

function run(command, args, cwd = folder) {
  process.stdout.write(`$ ${[command, ...args].join(' ')}\n`);
  const output = execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return output.trim();
}

try {
  run('npm', ['run', '--silent', 'build'], root);
  const [{ filename, size, entryCount }] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root),
  );
  process.stdout.write(`${filename}: ${entryCount} files, ${(size / 1024).toFixed(0)} KiB\n`);
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  run('npm', ['install', '--no-audit', '--no-fund', join(folder, filename)]);
  run('npx', ['svmsim', 'init', 'mine.yaml']);
  run('npx', ['svmsim', 'validate', 'mine.yaml']);
  const last = run('npx', ['svmsim', 'run', 'mine.yaml', '--quiet']).split('\n').at(-1);
  process.stdout.write(`${last}\n`);
  run('npx', [
    'svmsim',
    'run',
    'mine.yaml',
    '--executor',
    'virtual',
    '--quiet',
    '--trace',
    'run.pftrace',
    '--json',
    'run.json',
  ]);
  process.stdout.write(`${run('npx', ['svmsim', 'report', 'run.json', '-o', 'report.html'])}\n`);
  writeFileSync(
    join(folder, 'use.mjs'),
    `import { passed, simulate } from 'svmsim';
const report = await simulate({ scenario: { devices: { count: 2 }, workloads: [{ kind: 'saxpy', elements: 4096 }] } });
console.log(passed(report) ? 'the library works' : JSON.stringify(report.failure));
if (!passed(report)) process.exitCode = 1;
`,
  );
  process.stdout.write(`${run('node', ['use.mjs'])}\n`);
} finally {
  rmSync(folder, { recursive: true });
}
