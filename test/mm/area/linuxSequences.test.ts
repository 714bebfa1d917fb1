/**
 * Random sequences of memory calls that were run on a real Linux (6.18, of what is as in 6.12: every area touched when it is made, and moves within one
 * area): each call gives what it gave there, and the areas at the end are the same.
 */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { assert } from '../../../src/base/assert.js';
import { PAGE_WORDS, vpn } from '../../../src/base/units.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { MapFlag } from '../../../src/mm/area/mmap.js';
import { type Vma, VmFlag } from '../../../src/mm/area/vma.js';
import { SHMEM_FILE } from '../../../src/mm/file/fileType.js';
import type { MappedFile } from '../../../src/mm/file/mappedFile.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import type { Steps } from '../../../src/sim/steps.js';
import { checkAccounting, makeMachine, makeMm, run, TestCpu } from '../harness.js';

const BASE = 0x5_0000_0000;
const FILE_PAGES = 4;
/** Numbers of Linux. @kernel MADV_DONTNEED, MADV_DONTFORK, MADV_DOFORK */
const advices = new Map<number, Madvise>([
  [4, Madvise.DontNeed],
  [10, Madvise.DontFork],
  [11, Madvise.DoFork],
]);

const sequences = z
  .array(z.strictObject({ calls: z.string(), areas: z.string() }))
  .parse(JSON.parse(readFileSync(new URL('linuxSequences.json', import.meta.url), 'utf8')));

/** A process, with two files, `A` and `B`, and children that wait. Pages are counted from a place of its own. */
class Replay {
  private readonly machine = makeMachine({ ramPages: 1024, pagesPerStep: 64 });
  readonly mm = makeMm(this.machine.kernel);
  private readonly cpu = new TestCpu(this.machine, this.mm);
  private readonly files = [0, 1].map(() => this.machine.kernel.pageCache.create(FILE_PAGES, SHMEM_FILE));
  private children: Mm[] = [];

  /** What the call returns: an errno, or the page or value. The last number is what it should be. */
  call(name: string, numbers: readonly number[]): number {
    const { calls, kernel } = this.machine;
    const [a, b, c, d, e] = numbers;
    const at = vpn(BASE + a);
    switch (name) {
      case 'mmap':
        return Math.min(0, this.run(calls.memoryMap.mmap(this.mm, this.mapping(numbers))));
      case 'munmap':
        return this.run(calls.memoryMap.munmap(this.mm, at, b));
      case 'mprotect':
        return this.run(calls.mprotect.mprotect(this.mm, at, b, c));
      case 'madvise':
        return this.run(calls.madvise.madvise(this.mm, at, b, advices.get(c) ?? Madvise.Hint));
      case 'mlock':
        return this.run(calls.mlock.mlock(this.mm, at, b));
      case 'munlock':
        return this.run(calls.mlock.munlock(this.mm, at, b));
      case 'mremap': {
        const args = { from: at, fromPages: b, toPages: c, target: vpn(BASE + d), flags: e };
        const to = this.run(calls.mremap.mremap(this.mm, args));
        return to < 0 ? to : to - BASE;
      }
      case 'store':
        return this.run(this.cpu.store(at, b));
      case 'load':
        return this.run(this.cpu.load(at));
      case 'fwrite':
        return this.write(this.files[a], b, c);
      case 'fread':
        return b < this.files[a].mapping.npages ? kernel.pageCache.read(this.files[a].mapping, b)[0] : -1;
      case 'trunc':
        this.run(calls.truncate.truncate(this.files[a].mapping, b));
        return 0;
      case 'fork':
        return this.fork(a === 1);
      default:
        throw new Error(`${name} is no call`);
    }
  }

  /** `start+pages`, rights, private or shared; of a file, which, and the page of it that comes first. */
  areas(): string {
    return [...this.mm.vmas].map((vma) => this.describe(vma)).join(' ');
  }

  check(): void {
    checkAccounting(this.machine.kernel, [this.mm, ...this.children]);
  }

  private run<T>(steps: Steps<T>): T {
    return run(this.machine.kernel, steps);
  }

  private mapping([a, npages, prot, shared, file]: readonly number[]) {
    const flags = MapFlag.Fixed | (shared === 1 ? MapFlag.Shared : 0);
    const args = { hint: vpn(BASE + a), npages, prot, flags };
    if (file < 0) return args;
    return { ...args, file: this.files[file % 10], fileOffset: Math.floor(file / 10) };
  }

  /** Beyond its end the file becomes longer. */
  private write({ mapping }: MappedFile, index: number, word: number): number {
    const { kernel, calls } = this.machine;
    if (index >= mapping.npages) this.run(calls.truncate.truncate(mapping, index + 1));
    const words = new Int32Array(PAGE_WORDS);
    words.set(kernel.pageCache.read(mapping, index));
    words[0] = word;
    return kernel.pageCache.write(mapping, index, words) ? 0 : -1;
  }

  private fork(endsAll: boolean): number {
    const { calls } = this.machine;
    const child = this.run(calls.fork.fork(this.mm, 2 + this.children.length));
    assert(typeof child !== 'number', 'fork failed');
    this.children.push(child);
    if (endsAll) for (const one of this.children.splice(0)) this.run(calls.exit.mmput(one));
    return 0;
  }

  private describe({ start, pages, flags, file, pgoff }: Vma): string {
    const rights = `${flags & VmFlag.Read ? 'r' : '-'}${flags & VmFlag.Write ? 'w' : '-'}`;
    const sharing = flags & (VmFlag.Shared | VmFlag.MayShare) ? 's' : 'p';
    const place = `${start - BASE}+${pages}${rights}${sharing}`;
    if (file === null) return place;
    const which = this.files.findIndex(({ mapping }) => mapping === file.mapping);
    return `${place}${which < 0 ? 'z' : `f${'AB'[which]}`}@${pgoff}`;
  }
}

describe('a process', () => {
  it.each(sequences.map((sequence, i) => ({ i, ...sequence })))(
    'does in sequence $i what Linux does',
    (one) => {
      const replay = new Replay();
      const found = one.calls.split('; ').map((line) => {
        const [name, ...numbers] = line.split(' ');
        const result = replay.call(name, numbers.slice(0, -1).map(Number));
        return [name, ...numbers.slice(0, -1), result].join(' ');
      });
      expect(found.join('; ')).toBe(one.calls);
      expect(replay.areas()).toBe(one.areas);
      replay.check();
    },
  );
});
