/** Lets several workers take from the same work; the first that fails ends the others. */

/** Each of `jobs` calls of `work` takes what is left, one piece after the other, until its signal. Rejects with the first error, once all have come to an end. */
export async function shareOut(
  jobs: number,
  signal: AbortSignal,
  work: (either: AbortSignal) => Promise<void>,
): Promise<void> {
  const giveUp = new AbortController();
  const either = AbortSignal.any([signal, giveUp.signal]);
  const workers = Array.from({ length: jobs }, () => work(either));
  try {
    await Promise.all(workers);
  } catch (error) {
    giveUp.abort();
    await Promise.allSettled(workers);
    throw error;
  }
}
