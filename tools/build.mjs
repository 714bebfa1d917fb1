/** Compiles the sources, and puts workers and the page of reports together in one file each, unless nothing has changed since. What no source stands for any more goes. */

import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);

const OUTPUT = /(\.d\.ts|\.js)(\.map)?$/;

function compile() {
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [compiler, '-b', 'tsconfig.build.json'], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

/** The compiler leaves them where they are, and a package would have them in it. */
function removeStale() {
  const sources = new Set(
    ['src', 'workers'].flatMap((folder) =>
      readdirSync(folder, { recursive: true }).map((file) => join(folder, file)),
    ),
  );
  for (const folder of ['src', 'workers', 'bundles']) {
    for (const file of readdirSync(join('dist', folder), { recursive: true })) {
      const source = join(folder === 'bundles' ? 'workers' : folder, file.replace(OUTPUT, '.ts'));
      if (OUTPUT.test(file) && !sources.has(source)) rmSync(join('dist', folder, file), { force: true });
    }
  }
}

/** Milliseconds since 1970, 0 if it is not there. */
function writtenAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function newest(files) {
  return Math.max(...files.map(writtenAt));
}

const workers = readdirSync('workers').map((file) => basename(file, '.ts'));
const bundles = workers.map((worker) => `dist/bundles/${worker}.js`);
const pageSources = readdirSync('src/report/page', { recursive: true }).map((file) =>
  join('src/report/page', file),
);
const page = 'dist/page/report.js';

/** Loading some hundred modules in each of many workers takes longer than a short run. Packages stay outside: some ask for modules by name. */
async function bundleWorkers() {
  if (Math.min(...bundles.map(writtenAt)) > writtenAt('dist/.tsbuildinfo')) return;
  await build({
    entryPoints: workers.map((worker) => `dist/workers/${worker}.js`),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    outdir: 'dist/bundles',
    logLevel: 'warning',
  });
}

/** The script of a report, which is one file without a network. */
async function bundlePage() {
  if (
    writtenAt(page) >
    Math.max(newest(pageSources), writtenAt('dist/.tsbuildinfo'), writtenAt('package-lock.json'))
  )
    return;
  await build({
    entryPoints: ['src/report/page/main.ts'],
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2022',
    outfile: page,
    logLevel: 'warning',
  });
}

compile();
await Promise.all([bundleWorkers(), bundlePage()]);
removeStale();
