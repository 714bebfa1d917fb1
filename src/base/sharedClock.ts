/** A clock that all threads of the process share. */

/** Milliseconds since some moment: it only goes forward, also when somebody sets the clock of the machine. */
export function sharedNowMs(): number {
  const [seconds, ns] = process.hrtime();
  return seconds * 1e3 + ns / 1e6;
}
