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
import { parseRecordings, recordedCase, recordingName } from './recordings.js';
import { stepLine } from './stepLine.js';

/** Memory above what the kernel may use belongs to the two devices with coherent memory. */
const MACHINE_MIB = 2600;
/** A sequence may hang the kernel. */
const MACHINE_MS_MAX = 15 * 60_000;
const CONSOLE_LINES = 20;
const COMMAND_LINE =
  'console=ttyS0 panic=-1 oops=panic mem=1024M ramdisk_size=65536 test_hmm.spm_addr_dev0=0x60000000 test_hmm.spm_addr_dev1=0x80000000';

function casesOf(what: string): Case[] {
  const range = /^(\w+):(\d+)-(\d+)$/.exec(what);
  if (range === null) return loadCaseFile(what);
  const [, mixture = '', from, to] = range;
  if (!isMixture(mixture))
    throw new Error(`found the mixture ${mixture}, allowed: ${Object.keys(MIXTURES).join(', ')}`);
  const first = Number(from);
  const count = Number(to) - first + 1;
  if (count < 1) throw new Error(`found ${what}, allowed: seeds from the lower to the higher`);
  return Array.from({ length: count }, (_, i) => randomCase(mixture, first + i));
}

function isMixture(name: string): name is MixtureName {
  return Object.hasOwn(MIXTURES, name);
}

function linesOf(one: Case): string {
  return [`case ${recordingName(one)}`, ...one.steps.map((_, i) => lineOf(one, i)), ''].join('\n');
}

function lineOf({ name, steps }: Case, index: number): string {
  try {
    return `${index} ${stepLine(steps[index])}`;
  } catch (error) {
    throw new Error(`${name}, step ${index}: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Where a machine is made and leaves what it wrote. */
class Machine {
  private readonly folder = mkdtempSync(join(tmpdir(), 'svmsim-oracle-'));

  constructor(private readonly bzImage: string) {}

  /** Boots it with the recorder as its only program; returns what that wrote. @throws Error when it did not come to its end. */
  record(lines: string): ReturnType<typeof parseRecordings> {
    try {
      this.pack(lines);
      this.boot();
      return parseRecordings(this.read('results'));
    } catch (error) {
      const lastWords = this.read('console').split('\n').slice(-CONSOLE_LINES).join('\n');
      throw new Error(`${messageOf(error)}\n${lastWords}`);
    } finally {
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  private pack(lines: string): void {
    const source = fileURLToPath(new URL('recorder.c', import.meta.url));
    execFileSync('gcc', ['-O1', '-Wall', '-static', '-pthread', '-o', join(this.folder, 'init'), source]);
    writeFileSync(join(this.folder, 'cases'), lines);
    const archive = ['-o', '-H', 'newc', '--quiet', '-F', 'initrd'];
    execFileSync('cpio', archive, { cwd: this.folder, input: 'init\ncases' });
  }

  /** Emulated, which is the same on each computer: a thousand sequences take a minute. */
  private boot(): void {
    const machine = `-accel tcg -m ${MACHINE_MIB} -nodefaults -no-reboot -display none`.split(' ');
    const serial = ['console', 'results'].flatMap((name) => ['-serial', `file:${join(this.folder, name)}`]);
    const boot = ['-kernel', this.bzImage, '-initrd', join(this.folder, 'initrd'), '-append', COMMAND_LINE];
    execFileSync('qemu-system-x86_64', [...machine, ...serial, ...boot], {
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: MACHINE_MS_MAX,
    });
  }

  private read(name: string): string {
    const path = join(this.folder, name);
    return existsSync(path) ? readFileSync(path, 'latin1') : '';
  }
}

function main([kernel, outPath, wanted]: readonly string[]): void {
  if (kernel === undefined || outPath === undefined || wanted === undefined)
    throw new Error('usage: recordCases.ts KERNEL OUT.json CASES.json|MIXTURE:FROM-TO');
  if (!existsSync(kernel)) throw new Error(`${kernel}: found no such file, allowed: a kernel's bzImage`);
  const cases = casesOf(wanted);
  const lines = cases.map(linesOf).join('');
  const recordings = new Machine(kernel).record(lines);
  const source = { repo: 'a running kernel with its test_hmm driver', path: 'recorded run' };
  const recorded = cases.flatMap(
    (one) => recordedCase({ source, ...one }, recordings.get(recordingName(one)) ?? []) ?? [],
  );
  if (recorded.length === 0)
    throw new Error(`none of ${cases.length} cases was recorded; ${outPath} stays as it was`);
  writeFileSync(outPath, `[\n${recorded.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`);
  process.stdout.write(`${outPath}: ${recorded.length} of ${cases.length} cases recorded\n`);
}

try {
  main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`recordCases: ${messageOf(error)}\n`);
  process.exitCode = 2;
}
