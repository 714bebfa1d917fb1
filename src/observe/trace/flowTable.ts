/** Ties what one actor does to what another one does because of it: a fault to its service, an invalidation to the device that obeys. */

/** More than pages of all address spaces of a device. */
const PAGES = 2 ** 45;

export class FlowTable {
  private last = 0;
  /** By device and page, as the device says it: faults that were raised, and translations that are to go. */
  private readonly raised = new Map<number, number>();
  private readonly invalidated = new Map<number, number>();

  begin(): number {
    this.last++;
    return this.last;
  }

  /** A device has raised a fault at this page. */
  raise(device: number, page: number): void {
    this.raised.set(device * PAGES + page, this.begin());
  }

  /** The flow takes away translations of a range that begins at this page. */
  invalidates(device: number, page: number, flow: number): void {
    this.invalidated.set(device * PAGES + page, flow);
  }

  /** The flow that a step joins which has none of its own. */
  joined(step: string, args: Float64Array): number | null {
    switch (step) {
      case 'driver.fault':
        return this.raised.get(args[2] * PAGES + args[0]) ?? null;
      case 'device.faultRaised':
      case 'device.faultServed':
        return this.raised.get(args[0] * PAGES + args[1]) ?? null;
      case 'device.tlbInvalidate':
        return this.invalidated.get(args[0] * PAGES + args[1]) ?? null;
      default:
        return null;
    }
  }
}
