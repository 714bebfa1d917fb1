/** Lets each allocation of one run fail in a copy of the process: the original goes on to the next one. */

import { type AllocSite, FailureInjector } from '../../src/memory/failureInjector.js';
import { awaitCopy, copyProcess } from './processCopy.js';

/** After so many that found something no more copies are made. */
const BROKEN_MAX = 5;

/** What a copy ends with. */
export const CopyStatus = { Clean: 0, Problems: 1, Crashed: 2 } as const;

export interface CopyingOptions {
  /** Copies that run at the same time. */
  readonly jobs: number;
  /** Allocations, counted from 1. */
  readonly from: number;
  readonly to: number;
  readonly print: (line: string) => void;
}

export class CopyingInjector extends FailureInjector {
  copies = 0;
  /** Copies that found something wrong, or crashed. */
  broken = 0;
  /** The number of the allocation that fails in this process; null in the original. */
  failing: number | null = null;
  /** By process: the allocation that fails there. */
  private readonly running = new Map<number, number>();

  constructor(private readonly options: CopyingOptions) {
    super();
  }

  override shouldFail(site: AllocSite): boolean {
    const n = this.asked + 1;
    if (this.isWanted(n)) {
      this.makeCopy(n);
      if (this.failing === n) this.failNext(site);
    }
    return super.shouldFail(site);
  }

  /** Until every copy has ended. */
  awaitAll(): void {
    while (this.running.size > 0) this.awaitOne();
  }

  private isWanted(n: number): boolean {
    const { from, to } = this.options;
    return this.failing === null && n >= from && n <= to && this.broken < BROKEN_MAX;
  }

  private makeCopy(n: number): void {
    if (this.running.size >= this.options.jobs) this.awaitOne();
    const pid = copyProcess();
    if (pid === 0) {
      this.failing = n;
      return;
    }
    this.copies++;
    this.running.set(pid, n);
  }

  private awaitOne(): void {
    const { pid, status } = awaitCopy();
    const n = this.running.get(pid);
    this.running.delete(pid);
    if (status === CopyStatus.Clean) return;
    this.broken++;
    if (status !== CopyStatus.Problems)
      this.options.print(`allocation ${n}: the simulator itself failed, exit status ${status ?? 'none'}`);
  }
}
