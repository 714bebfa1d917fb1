/** Turns the first signal to stop into an abort, and lets the second kill. */

/** A process, as far as signals go. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
}

const stopSignals = ['SIGINT', 'SIGTERM'] as const;

/** Signals so soon after the first are the same one: timeout(1), for one, tells the process and then its group, which it is in. */
const SAME_MS = 200;

/** `kill` is called with the second signal, when nothing handles it any more. `nowMs` is a clock of the wall. */
export async function untilInterrupted<T>(
  source: SignalSource,
  kill: (signal: NodeJS.Signals) => void,
  work: (signal: AbortSignal) => Promise<T>,
  onInterrupt: () => void,
  nowMs: () => number,
): Promise<T> {
  const controller = new AbortController();
  let firstMs = 0;
  const listener = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      if (nowMs() - firstMs < SAME_MS) return;
      release();
      kill(signal);
      return;
    }
    firstMs = nowMs();
    onInterrupt();
    controller.abort();
  };
  const release = (): void => {
    for (const signal of stopSignals) source.off(signal, listener);
  };
  for (const signal of stopSignals) source.on(signal, listener);
  try {
    return await work(controller.signal);
  } finally {
    release();
  }
}
