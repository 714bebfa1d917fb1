/** Numbers flows, and ties what a device's contexts ask for to the task of the device that asks the host for it. */

export class FlowTable {
  private last = 0;
  /** By {@link keyOf}: of faults that were not served. Those of atomics and of stores at one page share a place. */
  private readonly raised = new Map<string, number>();
  /** By task: which of them it takes to the host. */
  private readonly delivered = new Map<number, string>();

  begin(): number {
    this.last++;
    return this.last;
  }

  /** A context of a device has faulted; who comes while that fault waits joins it. */
  raise(device: number, page: number, flags: number, waiters: number): void {
    if (waiters === 1) this.raised.set(keyOf(device, page, flags), this.begin());
  }

  /** The flow of a fault that was not served; null where the recording does not hold its beginning. */
  raisedAt(device: number, page: number, flags: number): number | null {
    return this.raised.get(keyOf(device, page, flags)) ?? null;
  }

  /** The task tells the host of the fault, and its contexts of the answer. */
  deliver(task: number, device: number, page: number, flags: number): number | null {
    const key = keyOf(device, page, flags);
    this.delivered.set(task, key);
    return this.raised.get(key) ?? null;
  }

  serve(task: number): void {
    const key = this.delivered.get(task);
    if (key === undefined) return;
    this.delivered.delete(task);
    this.raised.delete(key);
  }
}

function keyOf(device: number, page: number, flags: number): string {
  return `${device}/${page}/${flags}`;
}
