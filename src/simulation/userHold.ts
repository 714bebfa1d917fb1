/** Holds a run because somebody who watches it wants to: between two operations, for as long as he likes. */

import type { Vpn } from '../base/units.js';
import type { Fleet } from './fleet.js';

/** What somebody asked for who watches the run. */
interface Work {
  carryOut(): Promise<void>;
  /** He is answered as if the run were not held. */
  giveUp(): void;
}

/** What is asked while the run is held is done in order, by whoever conducts the run. */
export class UserHold {
  isHeld = false;
  private isWanted = false;
  private work: Work[] = [];
  private wake: () => void = () => {};

  constructor(private readonly fleet: Fleet) {}

  /** Somebody has asked for the run to be held. */
  get isAsked(): boolean {
    return this.isWanted;
  }

  pause(): void {
    this.isWanted = true;
  }

  resume(): void {
    this.isWanted = false;
    this.wake();
  }

  step(): Promise<void> {
    return this.whileHeld(undefined, () => this.stepAll());
  }

  inspect(page: Vpn, process: number): Promise<readonly string[]> {
    return this.whileHeld<readonly string[]>([], async () => {
      const { coordinator, devices } = this.fleet;
      const snapshots = await Promise.all(devices.map((device) => device.snapshot()));
      return coordinator.describePage(snapshots, process, page);
    });
  }

  /** Comes back when the run is to go on, or the signal comes. Rejects with what `limit` throws while programs do not come to rest. */
  async hold(signal: AbortSignal | undefined, limit: () => boolean): Promise<void> {
    const wake = (): void => this.wake();
    signal?.addEventListener('abort', wake);
    try {
      const pausing = this.pauseAll();
      if ((await this.fleet.until(pausing, Number.POSITIVE_INFINITY, signal, limit)) === 'settled') {
        await pausing;
        await this.workHeld(signal);
      }
    } finally {
      this.isHeld = false;
      this.isWanted = false;
      signal?.removeEventListener('abort', wake);
      // Nobody may wait for what will not be done any more.
      for (const left of this.work.splice(0)) left.giveUp();
    }
    await this.fleet.during(Promise.all(this.others().map((actor) => actor.resume())));
  }

  private async workHeld(signal: AbortSignal | undefined): Promise<void> {
    this.isHeld = true;
    while (this.isWanted && signal?.aborted !== true) {
      const [next] = this.work;
      if (next === undefined) await this.fleet.rest(new Promise<void>((resolve) => this.wakeWith(resolve)));
      else {
        await this.fleet.during(next.carryOut());
        // Until it is done it is among those that are given up where an actor dies.
        this.work.shift();
      }
    }
  }

  private whileHeld<T>(otherwise: T, what: () => Promise<T>): Promise<T> {
    if (!this.isHeld) return Promise.resolve(otherwise);
    return new Promise((resolve, reject) => {
      this.work.push({ carryOut: () => what().then(resolve, reject), giveUp: () => resolve(otherwise) });
      this.wake();
    });
  }

  private wakeWith(resolve: () => void): void {
    this.wake = () => {
      this.wake = () => {};
      resolve();
    };
  }

  private async pauseAll(): Promise<void> {
    await Promise.all(this.others().map((actor) => actor.pause()));
    await this.fleet.coordinator.pause();
  }

  private async stepAll(): Promise<void> {
    await Promise.all(this.others().map((actor) => actor.step()));
    await this.fleet.coordinator.pause();
  }

  private others(): readonly (Fleet['devices'][number] | Fleet['cpus'][number])[] {
    return [...this.fleet.devices, ...this.fleet.cpus];
  }
}
