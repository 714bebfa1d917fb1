/** Turns the first signal to stop into an abort, and lets the second kill. */

/** A process, as far as signals go. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
}

const stopSignals = ['SIGINT', 'SIGTERM'] as const;

/** `kill` is called with the second signal, when nothing handles it any more. */
export async function untilInterrupted<T>(
  source: SignalSource,
  kill: (signal: NodeJS.Signals) => void,
  work: (signal: AbortSignal) => Promise<T>,
  onInterrupt: () => void,
): Promise<T> {
  const controller = new AbortController();
  const listener = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      release();
      kill(signal);
      return;
    }
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
