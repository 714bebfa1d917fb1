/** A naive model of the memory of several processes and of the files that they map: what each page holds and allows. */

/** The pages of a file by their numbers; as many as the file is long. */
export type ModelFile = { value: number }[];

/** A page without a file is zeros of its own; `own` is null as long as it shows what the file holds. */
interface ModelPage {
  readonly prot: number;
  /** Stores are seen by all who map the file, children included. */
  readonly shared: boolean;
  readonly file: ModelFile | null;
  readonly index: number;
  readonly own: { readonly value: number } | null;
  readonly locked: boolean;
  /** Children get it too. */
  readonly forks: boolean;
}

/** What a mapping is of. Shared memory without a name is a file that nobody else has. */
export interface ModelMapping {
  readonly shared?: boolean;
  readonly file?: ModelFile;
  /** The page of the file at which it begins. */
  readonly pgoff?: number;
}

const READ = 1;
const WRITE = 2;
const ZEROS = { value: 0 } as const;

export function modelFile(npages: number): ModelFile {
  return Array.from({ length: npages }, () => ({ value: 0 }));
}

/** fork copies everything. Pages that no process maps do not exist. */
export class MemoryModel {
  readonly processes: Map<number, ModelPage>[] = [new Map()];

  /** What is locked is not locked in the child. */
  fork(process: number): void {
    const child = new Map<number, ModelPage>();
    for (const [at, page] of this.processes[process])
      if (page.forks) child.set(at, { ...page, locked: false });
    this.processes.push(child);
  }

  exit(process: number): void {
    this.processes.splice(process, 1);
  }

  /** Replaces what was there. */
  map(process: number, start: number, npages: number, prot: number, mapping: ModelMapping = {}): void {
    const { shared = false, pgoff = 0 } = mapping;
    const file = mapping.file ?? (shared ? modelFile(pgoff + npages) : null);
    const own = file === null ? ZEROS : null;
    for (let i = 0; i < npages; i++) {
      const page = { prot, shared, file, index: pgoff + i, own, locked: false, forks: true };
      this.processes[process].set(start + i, page);
    }
  }

  unmap(process: number, start: number, npages: number): void {
    for (let i = 0; i < npages; i++) this.processes[process].delete(start + i);
  }

  /** Up to the first hole. Whether there was none. */
  protect(process: number, start: number, npages: number, prot: number): boolean {
    const pages = this.processes[process];
    for (let i = start; i < start + npages; i++) {
      const page = pages.get(i);
      if (page === undefined) return false;
      pages.set(i, { ...page, prot });
      // Memory that is to stay gets its copies at once.
      if (page.locked && !page.shared && (page.prot & WRITE) === 0) this.makeOwn(process, i, 1);
    }
    return true;
  }

  /** What a process had made its own is zeros again, or what the file holds. Up to the first locked page; and whether there was no hole. */
  discard(process: number, start: number, npages: number): 'done' | 'holes' | 'locked' {
    const pages = this.processes[process];
    let found: 'done' | 'holes' = 'done';
    for (let i = start; i < start + npages; i++) {
      const page = pages.get(i);
      if (page?.locked === true) return 'locked';
      if (page === undefined) found = 'holes';
      else pages.set(i, emptied(page));
    }
    return found;
  }

  /** Up to the first hole; then, without one, each page is there, and private ones that may be written are copies. Whether all that went well. */
  lock(process: number, start: number, npages: number): boolean {
    const whole = this.change(process, start, npages, { locked: true });
    for (let i = start; whole && i < start + npages; i++) {
      const page = this.processes[process].get(i);
      if (this.load(process, i) === null) return false;
      if (page?.shared === false) this.makeOwn(process, i, 1);
    }
    return whole;
  }

  unlock(process: number, start: number, npages: number): boolean {
    return this.change(process, start, npages, { locked: false });
  }

  /** Holes are left out. Whether there was none. */
  setForks(process: number, start: number, npages: number, forks: boolean): boolean {
    let whole = true;
    for (let i = start; i < start + npages; i++) whole = this.change(process, i, 1, { forks }) && whole;
    return whole;
  }

  /** Moves pages over whatever is at the target. Where `keeps`, the source stays mapped, empty. */
  move(process: number, from: number, to: number, npages = 1, keeps = false): void {
    const pages = this.processes[process];
    for (let i = 0; i < npages; i++) {
      const page = pages.get(from + i);
      pages.delete(from + i);
      pages.delete(to + i);
      if (page === undefined) continue;
      pages.set(to + i, page);
      if (keeps) pages.set(from + i, { ...emptied(page), locked: false });
    }
  }

  /** The file gets another end; private copies of what lay beyond go too. */
  truncate(file: ModelFile, npages: number): void {
    file.length = Math.min(file.length, npages);
    while (file.length < npages) file.push({ value: 0 });
    for (const pages of this.processes) {
      for (const [at, page] of pages) {
        if (page.file === file && page.index >= npages) pages.set(at, emptied(page));
      }
    }
  }

  /** As for a store, without one: what a private page shows of its file becomes the process's own. Up to the first page that may not be written. */
  makeOwn(process: number, start: number, npages: number): void {
    for (let i = start; i < start + npages; i++) {
      const value = this.load(process, i);
      if (value === null || !this.store(process, i, value)) return;
    }
  }

  isLocked(process: number, at: number): boolean {
    return this.processes[process].get(at)?.locked ?? false;
  }

  /** Null where it is not allowed, or beyond the end of the file. A CPU that may write may read. */
  load(process: number, at: number): number | null {
    const page = this.processes[process].get(at);
    if (page === undefined || (page.prot & (READ | WRITE)) === 0) return null;
    return page.own?.value ?? page.file?.[page.index]?.value ?? null;
  }

  store(process: number, at: number, value: number): boolean {
    const page = this.processes[process].get(at);
    if (page === undefined || (page.prot & WRITE) === 0) return false;
    const inFile = page.file?.[page.index];
    if (page.own === null && inFile === undefined) return false;
    if (page.shared && inFile !== undefined) inFile.value = value;
    else this.processes[process].set(at, { ...page, own: { value } });
    return true;
  }

  /** Up to the first hole. Whether there was none. */
  private change(process: number, start: number, npages: number, what: Partial<ModelPage>): boolean {
    const pages = this.processes[process];
    for (let i = start; i < start + npages; i++) {
      const page = pages.get(i);
      if (page === undefined) return false;
      pages.set(i, { ...page, ...what });
    }
    return true;
  }
}

function emptied(page: ModelPage): ModelPage {
  return { ...page, own: page.file === null ? ZEROS : null };
}
