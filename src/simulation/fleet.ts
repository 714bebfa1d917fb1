/** All actors of one run, as the code that conducts it sees them: the same under both executors. */

import type { ActorHost, CoordinatorHost, CpuHost, DeviceHost } from './actorHost.js';

/** A host whose calls may cross to a worker, so that every result comes later. */
export type Remote<H extends ActorHost> = {
  readonly [K in keyof H]: H[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>> | R
    : H[K];
};

/** Why {@link Fleet.until} came back. */
export type Waited = 'settled' | 'time' | 'aborted';

export interface Fleet {
  readonly coordinator: Remote<CoordinatorHost>;
  readonly devices: readonly Remote<DeviceHost>[];
  readonly cpus: readonly Remote<CpuHost>[];
  /** Nanoseconds since the start, of the executor's clock. */
  now(): number;
  /**
   * Lets the actors run until the promise settles, the clock reaches `atNs`, or the signal comes. `onPause` is called now and then, where actors run on
   * this thread between two steps; it may look, and change nothing. True ends the wait as if the time had come. Rejects with {@link ActorFailure},
   * and with what `onPause` throws.
   */
  until(
    promise: Promise<unknown>,
    atNs: number,
    signal: AbortSignal | undefined,
    onPause?: () => boolean,
  ): Promise<Waited>;
  /** Lets the actors run until the promise settles. Rejects with {@link ActorFailure}, and with what `onPause` throws, as for {@link until}. */
  during<T>(promise: Promise<T>, onPause?: () => boolean): Promise<T>;
  /** While the work goes on nobody is expected to take a step: looking at everything may take longer than a hang is waited for. */
  atRest<T>(work: () => T | Promise<T>): Promise<T>;
  /** Waits for somebody outside while the actors rest. Rejects with {@link ActorFailure}. */
  rest<T>(promise: Promise<T>): Promise<T>;
  /** Steps that the executor took, where it counts them. */
  readonly steps: number;
  /** Ends all actors; never hangs. */
  close(): Promise<void>;
}

/** An actor failed, died, or nothing can go on. */
export class ActorFailure extends Error {
  override readonly name = 'ActorFailure';
  constructor(
    /** Its name, or `all` when nobody can go on. */
    readonly actor: string,
    message: string,
    /** The simulated system is at fault (a broken rule), not the simulator's machinery (a dead worker). */
    readonly isVerdict: boolean,
  ) {
    super(message);
  }
}
