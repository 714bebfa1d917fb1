/** Random calls of processes on their memory and on the files that they map, held against the naive model. */

import fc from 'fast-check';
import { expect } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { PAGE_WORDS, vpn } from '../../../src/base/units.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import { DISK_FILE, SHMEM_FILE } from '../../../src/mm/file/fileType.js';
import type { MappedFile } from '../../../src/mm/file/mappedFile.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import type { Steps } from '../../../src/sim/steps.js';
import { checkAccounting, type Machine, makeMm, run, TestCpu } from '../harness.js';
import { MemoryModel, type ModelFile, modelFile } from './memoryModel.js';

export const READ_WRITE = Prot.Read | Prot.Write;
export const FILES = 2;
const FILE_PAGES = 4;
const FILE_PAGES_MAX = 6;

/** Where the memory of all processes lies. */
export interface MemorySite {
  readonly base: number;
  /** What is mapped at the start, and where mappings are made. */
  readonly pages: number;
  /** Pages behind it, to which mremap moves single ones. */
  readonly targets: number;
  readonly processesMax: number;
}

/** Processes of a machine, beside the model that they are held against. */
export class MemoryWorld {
  readonly model = new MemoryModel();
  /** One in memory, and one on a disk. */
  readonly files: readonly (readonly [MappedFile, ModelFile])[];
  private nextId = 2;

  constructor(
    readonly machine: Machine,
    readonly site: MemorySite,
    readonly mms: Mm[] = [makeMm(machine.kernel, 1)],
  ) {
    const { pageCache } = machine.kernel;
    this.files = [SHMEM_FILE, DISK_FILE].map((type) => [
      pageCache.create(FILE_PAGES, type),
      modelFile(FILE_PAGES),
    ]);
    const { base, pages } = site;
    const all = { hint: vpn(base), npages: pages, prot: READ_WRITE, flags: MapFlag.Fixed };
    this.run(machine.calls.memoryMap.mmap(mms[0], all));
    this.model.map(0, base, pages, READ_WRITE);
  }

  run<T>(steps: Steps<T>): T {
    return run(this.machine.kernel, steps);
  }

  cpu(process: number): TestCpu {
    return new TestCpu(this.machine, this.mms[process]);
  }

  fork(of: number): void {
    if (this.mms.length === this.site.processesMax) return;
    const child = this.run(this.machine.calls.fork.fork(this.mms[of], this.nextId++));
    assert(typeof child !== 'number', 'fork failed');
    this.mms.push(child);
    this.model.fork(of);
  }

  /** Any but the first, which devices may mirror. */
  exit(which: number): void {
    if (which === 0) return;
    const [mm] = this.mms.splice(which, 1);
    this.run(this.machine.calls.exit.mmput(mm));
    this.model.exit(which);
  }

  /** After each command. */
  check(): void {
    checkAccounting(this.machine.kernel, this.mms);
  }

  /** Every page of every process and file. */
  checkContent(): void {
    const { base, pages, targets } = this.site;
    this.mms.forEach((_, i) => {
      const cpu = this.cpu(i);
      for (let page = base; page < base + pages + targets; page++) {
        expect(this.run(cpu.load(page))).toBe(this.model.load(i, page) ?? Errno.EFAULT);
      }
    });
    this.files.forEach((_, i) => {
      this.checkFile(i);
    });
  }

  /** As read() sees it. */
  checkFile(which: number): void {
    const [{ mapping }, model] = this.files[which];
    const found = model.map((_, i) => this.machine.kernel.pageCache.read(mapping, i)[0]);
    expect(found).toEqual(model.map(({ value }) => value));
  }

  /** Ends all processes and closes the files: only the page of zeros is left. */
  end(): void {
    const { kernel, calls } = this.machine;
    for (const mm of this.mms.splice(0)) this.run(calls.exit.mmput(mm));
    for (const [file] of this.files) kernel.pageCache.close(file);
    expect(kernel.ram.usedPages).toBe(1);
    expect([kernel.mms.size, kernel.anonVmas.size]).toEqual([0, 0]);
    expect(kernel.tables.freeTables).toBe(kernel.tables.totalTables);
  }
}

/** A command that may always run; what it does to the model decides what it expects of the machine. Prints as its name and arguments. */
export function command<W extends MemoryWorld, T>(
  name: string,
  args: fc.Arbitrary<T>,
  act: (world: W, args: T) => void,
): fc.Arbitrary<fc.Command<object, W>> {
  return args.map((values) => ({
    check: () => true,
    run: (_, world) => {
      act(world, values);
      world.check();
    },
    toString: () => `${name} ${JSON.stringify(values)}`,
  }));
}

/** Some pages of the site; `length` of them at most. */
export function spanOf({ base, pages }: MemorySite, length: number) {
  return fc
    .tuple(fc.nat(pages - 1), fc.integer({ min: 1, max: length }))
    .map(([at, n]) => ({ start: base + at, npages: Math.min(n, pages - at) }));
}

const prot = fc.constantFrom(Prot.None, Prot.Read, READ_WRITE, READ_WRITE);
const value = fc.integer({ min: 1, max: 1e6 });
const file = fc.nat(FILES - 1);

function okOr(errno: Errno, isOk: boolean): Errno {
  return isOk ? Errno.OK : errno;
}

const discarded = { done: Errno.OK, holes: Errno.ENOMEM, locked: Errno.EINVAL } as const;

export function memoryCommands<W extends MemoryWorld>(
  site: MemorySite,
): fc.Arbitrary<fc.Command<object, W>>[] {
  const who = fc.nat(site.processesMax - 1);
  const span = spanOf(site, Math.ceil(site.pages / 2));
  const page = fc.nat(site.pages + site.targets - 1).map((at) => site.base + at);
  /** On one process. */
  const of = <T>(name: string, args: fc.Arbitrary<T>, act: (world: W, i: number, args: T) => void) =>
    command<W, { who: number; args: T }>(name, fc.record({ who, args }), (world, { who, args }) =>
      act(world, who % world.mms.length, args),
    );
  return [
    of('mmap', fc.record({ span, prot, shared: fc.boolean() }), (w, i, { span, prot, shared }) => {
      mapOver(w, i, { ...span, prot, shared, file: null, pgoff: 0 });
    }),
    of(
      'mmap of a file',
      fc.record({ span, prot, shared: fc.boolean(), file, pgoff: fc.nat(FILE_PAGES - 1) }),
      (w, i, { span, ...args }) => {
        mapOver(w, i, { ...span, ...args });
      },
    ),
    of('munmap', span, (w, i, { start, npages }) => {
      expect(w.run(w.machine.calls.memoryMap.munmap(w.mms[i], vpn(start), npages))).toBe(Errno.OK);
      w.model.unmap(i, start, npages);
    }),
    of('mprotect', fc.record({ span, prot }), (w, i, { span: { start, npages }, prot }) => {
      const errno = w.run(w.machine.calls.mprotect.mprotect(w.mms[i], vpn(start), npages, prot));
      expect(errno).toBe(okOr(Errno.ENOMEM, w.model.protect(i, start, npages, prot)));
    }),
    of('discard', span, (w, i, { start, npages }) => {
      const call = w.machine.calls.madvise.madvise(w.mms[i], vpn(start), npages, Madvise.DontNeed);
      expect(w.run(call)).toBe(discarded[w.model.discard(i, start, npages)]);
    }),
    of('inherit', fc.record({ span, forks: fc.boolean() }), (w, i, { span: { start, npages }, forks }) => {
      const advice = forks ? Madvise.DoFork : Madvise.DontFork;
      const errno = w.run(w.machine.calls.madvise.madvise(w.mms[i], vpn(start), npages, advice));
      expect(errno).toBe(okOr(Errno.ENOMEM, w.model.setForks(i, start, npages, forks)));
    }),
    of('mlock', span, (w, i, { start, npages }) => {
      const errno = w.run(w.machine.calls.mlock.mlock(w.mms[i], vpn(start), npages));
      expect(errno).toBe(okOr(Errno.ENOMEM, w.model.lock(i, start, npages)));
    }),
    of('munlock', span, (w, i, { start, npages }) => {
      const errno = w.run(w.machine.calls.mlock.munlock(w.mms[i], vpn(start), npages));
      expect(errno).toBe(okOr(Errno.ENOMEM, w.model.unlock(i, start, npages)));
    }),
    of('swap out', span, (w, i, { start, npages }) => {
      w.run(w.machine.calls.madvise.madvise(w.mms[i], vpn(start), npages, Madvise.PageOut));
    }),
    of(
      'mremap',
      fc.record({ from: fc.nat(site.pages - 1), to: fc.nat(site.targets - 1), keeps: fc.boolean() }),
      (w, i, { from, to, keeps }) => {
        const source = site.base + from;
        // A whole area stops being locked where a part of it moves and stays; a model of pages knows no areas.
        if (!keeps || !w.model.isLocked(i, source)) moveOne(w, i, source, site.base + site.pages + to, keeps);
      },
    ),
    of('store', fc.record({ page, value }), (w, i, { page, value }) => {
      const stored = w.model.store(i, page, value);
      expect(w.run(w.cpu(i).store(page, value))).toBe(okOr(Errno.EFAULT, stored));
    }),
    of('load', page, (w, i, at) => {
      expect(w.run(w.cpu(i).load(at))).toBe(w.model.load(i, at) ?? Errno.EFAULT);
    }),
    command(
      'write to a file',
      fc.record({ file, at: fc.nat(FILE_PAGES_MAX - 1), value }),
      (w, { file, at, value }) => {
        const [{ mapping }, model] = w.files[file];
        const page = model[at];
        if (page === undefined) return;
        page.value = value;
        const words = new Int32Array(PAGE_WORDS).fill(value);
        expect(w.machine.kernel.pageCache.write(mapping, at, words)).toBe(true);
      },
    ),
    command('read a file', file, (w, which) => {
      w.checkFile(which);
    }),
    command('truncate', fc.record({ file, npages: fc.nat(FILE_PAGES_MAX) }), (w, { file, npages }) => {
      const [{ mapping }, model] = w.files[file];
      w.run(w.machine.calls.truncate.truncate(mapping, npages));
      w.model.truncate(model, npages);
    }),
    of('fork', fc.constant(null), (w, i) => {
      w.fork(i);
    }),
    of('exit', fc.constant(null), (w, i) => {
      w.exit(i);
    }),
  ];
}

interface Mapping {
  readonly start: number;
  readonly npages: number;
  readonly prot: number;
  readonly shared: boolean;
  readonly file: number | null;
  readonly pgoff: number;
}

function mapOver(w: MemoryWorld, i: number, { start, npages, prot, shared, file, pgoff }: Mapping): void {
  const flags = MapFlag.Fixed | (shared ? MapFlag.Shared : 0);
  const [opened, model] = file === null ? [null, undefined] : w.files[file];
  const args = { hint: vpn(start), npages, prot, flags, file: opened, fileOffset: pgoff };
  expect(w.run(w.machine.calls.memoryMap.mmap(w.mms[i], args))).toBe(start);
  w.model.map(i, start, npages, prot, { shared, ...(model !== undefined && { file: model, pgoff }) });
}

/** A source that is not there is found out before the target is unmapped. */
function moveOne(w: MemoryWorld, i: number, from: number, to: number, keeps: boolean): void {
  const flags = MremapFlag.MayMove | MremapFlag.Fixed | (keeps ? MremapFlag.DontUnmap : 0);
  const args = { from: vpn(from), fromPages: 1, toPages: 1, flags, target: vpn(to) };
  const isThere = w.model.processes[i].has(from);
  expect(w.run(w.machine.calls.mremap.mremap(w.mms[i], args))).toBe(isThere ? to : Errno.EFAULT);
  if (isThere) w.model.move(i, from, to, 1, keeps);
}
