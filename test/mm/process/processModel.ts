/** A naive model of several processes' memory: what each page holds and allows, with no sharing at all. */

/** One page of one process. */
interface ModelPage {
  readonly content: number;
  readonly prot: number;
}

const READ = 1;
const WRITE = 2;

/** fork copies everything. Pages that no process maps do not exist. */
export class ProcessModel {
  readonly processes: Map<number, ModelPage>[] = [new Map()];

  fork(process: number): void {
    this.processes.push(new Map(this.processes[process]));
  }

  exit(process: number): void {
    this.processes.splice(process, 1);
  }

  /** Replaces what was there, by zeros. */
  map(process: number, start: number, npages: number, prot: number): void {
    for (let i = 0; i < npages; i++) this.processes[process].set(start + i, { content: 0, prot });
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
    }
    return true;
  }

  /** Zeros again, but for holes. Whether there was none. */
  discard(process: number, start: number, npages: number): boolean {
    const pages = this.processes[process];
    let whole = true;
    for (let i = start; i < start + npages; i++) {
      const page = pages.get(i);
      if (page === undefined) whole = false;
      else pages.set(i, { ...page, content: 0 });
    }
    return whole;
  }

  /** Moves pages over whatever is at the target. */
  move(process: number, from: number, to: number, npages: number): void {
    const pages = this.processes[process];
    for (let i = 0; i < npages; i++) {
      const page = pages.get(from + i);
      pages.delete(from + i);
      pages.delete(to + i);
      if (page !== undefined) pages.set(to + i, page);
    }
  }

  /** Null where it is not allowed. */
  load(process: number, page: number): number | null {
    const found = this.processes[process].get(page);
    // A CPU that may write may read.
    return found === undefined || (found.prot & (READ | WRITE)) === 0 ? null : found.content;
  }

  store(process: number, page: number, content: number): boolean {
    const found = this.processes[process].get(page);
    if (found === undefined || (found.prot & WRITE) === 0) return false;
    this.processes[process].set(page, { ...found, content });
    return true;
  }
}
