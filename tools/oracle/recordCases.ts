/**
 * Records what a real kernel does: `tsx tools/oracle/recordCases.ts KERNEL OUT.json CASES.json`, or `MIXTURE:FROM-TO` in place of the cases for random ones.
 * Needs gcc, cpio and qemu-system-x86_64; docs/oracle.md says how KERNEL, a bzImage, is built.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Case } from '../../src/case/caseSchema.js';
import { loadCaseFile } from '../../src/scenario/case/loadCases.js';
import { MIXTURES, type MixtureName, randomCase } from './randomCases.js';
import { parseRecordings, recordedCase } from './recordings.js';
import { stepLine } from './stepLine.js';

const [kernel, outPath, wanted] = process.argv.slice(2);
if (kernel === undefined || outPath === undefined || wanted === undefined)
  throw new Error('usage: recordCases.ts KERNEL OUT.json CASES.json|MIXTURE:FROM-TO');

/** Memory above what the kernel may use belongs to the two devices with coherent memory. */
const MACHINE_MIB = 2600;
const COMMAND_LINE =
  'console=ttyS0 panic=-1 oops=panic mem=1024M test_hmm.spm_addr_dev0=0x60000000 test_hmm.spm_addr_dev1=0x80000000';

function casesOf(what: string): Case[] {
  const range = /^(\w+):(\d+)-(\d+)$/.exec(what);
  if (range === null) return loadCaseFile(what);
  const [, mixture, from, to] = range;
  if (mixture === undefined || !(mixture in MIXTURES))
    throw new Error(`mixture ${mixture}: allowed are ${Object.keys(MIXTURES).join(', ')}`);
  const count = Number(to) - Number(from) + 1;
  return Array.from({ length: count }, (_, i) => randomCase(mixture as MixtureName, Number(from) + i));
}

function linesOf({ name, steps }: Case): string {
  return [`case ${name}`, ...steps.map((step, i) => `${i} ${stepLine(step)}`), ''].join('\n');
}

/** Boots the machine with the recorder as its only program; returns what that wrote. */
function runMachine(bzImage: string, lines: string, hugePages: boolean): string {
  const folder = mkdtempSync(join(tmpdir(), 'svmsim-oracle-'));
  const results = join(folder, 'results');
  try {
    const source = fileURLToPath(new URL('recorder.c', import.meta.url));
    execFileSync('gcc', ['-O1', '-Wall', '-static', '-o', join(folder, 'init'), source]);
    writeFileSync(join(folder, 'cases'), lines);
    if (hugePages) writeFileSync(join(folder, 'huge'), '');
    const files = ['init', 'cases', ...(hugePages ? ['huge'] : [])];
    const archive = ['-o', '-H', 'newc', '--quiet', '-F', 'initrd'];
    execFileSync('cpio', archive, { cwd: folder, input: files.join('\n') });
    const serial = ['-serial', `file:${join(folder, 'console')}`, '-serial', `file:${results}`];
    const boot = ['-kernel', bzImage, '-initrd', join(folder, 'initrd'), '-append', COMMAND_LINE];
    // Emulated, which is the same on each machine: a thousand sequences take a minute.
    const machine = [
      '-accel',
      'tcg',
      '-m',
      String(MACHINE_MIB),
      '-nodefaults',
      '-no-reboot',
      '-display',
      'none',
    ];
    execFileSync('qemu-system-x86_64', [...machine, ...serial, ...boot], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    return existsSync(results) ? readFileSync(results, 'latin1') : '';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const cases = casesOf(wanted);
const recordings = parseRecordings(
  runMachine(kernel, cases.map(linesOf).join(''), wanted.startsWith('huge:')),
);
const source = { repo: 'a running kernel with its test_hmm driver', path: 'recorded run' };
const recorded = cases.flatMap(
  (one) => recordedCase({ source, ...one }, recordings.get(one.name) ?? []) ?? [],
);
writeFileSync(outPath, `[\n${recorded.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`);
process.stdout.write(`${outPath}: ${recorded.length} of ${cases.length} cases recorded\n`);
