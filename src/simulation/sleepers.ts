/** Sleeps that can be cut short, and leave no timer behind. */

export class Sleepers {
  private readonly wakers = new Set<() => void>();

  /** At most so many milliseconds of this machine's clock. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.wakers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.wakers.add(wake);
    });
  }

  wakeAll(): void {
    for (const wake of [...this.wakers]) wake();
  }
}
