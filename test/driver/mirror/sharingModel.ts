/** A naive model of the memory of processes, of which some is shared with children: what each page holds and allows. */

/** What a page holds; processes that share it have the same object. */
interface Content {
  value: number;
}

interface ModelPage {
  readonly content: Content;
  readonly prot: number;
  readonly shared: boolean;
}

const READ = 1;
const WRITE = 2;

export class SharingModel {
  readonly processes: Map<number, ModelPage>[] = [new Map()];

  fork(process: number): void {
    const copy = ([at, page]: [number, ModelPage]): [number, ModelPage] => [
      at,
      page.shared ? page : { ...page, content: { ...page.content } },
    ];
    this.processes.push(new Map([...this.processes[process]].map(copy)));
  }

  exit(process: number): void {
    this.processes.splice(process, 1);
  }

  /** Replaces what was there, by zeros. */
  map(process: number, start: number, npages: number, prot: number, shared: boolean): void {
    for (let i = 0; i < npages; i++) {
      this.processes[process].set(start + i, { content: { value: 0 }, prot, shared });
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
    }
    return true;
  }

  /** Private pages are zeros again, shared ones stay what they are. Whether there was no hole. */
  discard(process: number, start: number, npages: number): boolean {
    const pages = this.processes[process];
    let whole = true;
    for (let i = start; i < start + npages; i++) {
      const page = pages.get(i);
      if (page === undefined) whole = false;
      else if (!page.shared) page.content.value = 0;
    }
    return whole;
  }

  /** Moves a page over whatever is at the target. */
  move(process: number, from: number, to: number): void {
    const pages = this.processes[process];
    const page = pages.get(from);
    pages.delete(from);
    pages.delete(to);
    if (page !== undefined) pages.set(to, page);
  }

  /** Null where it is not allowed. A CPU that may write may read. */
  load(process: number, at: number): number | null {
    const page = this.processes[process].get(at);
    return page === undefined || (page.prot & (READ | WRITE)) === 0 ? null : page.content.value;
  }

  store(process: number, at: number, value: number): boolean {
    const page = this.processes[process].get(at);
    if (page === undefined || (page.prot & WRITE) === 0) return false;
    page.content.value = value;
    return true;
  }
}
