/** Asks an actor that may be unable to answer. */

/** An actor that is busy answers between two slices of its work. */
const ANSWER_MS = 500;

/** What an actor answers, or `otherwise` where it does not answer in time. */
export async function answerInTime<T>(ask: () => Promise<T> | T, otherwise: T): Promise<T> {
  const late = new Promise<T>((resolve) => setTimeout(() => resolve(otherwise), ANSWER_MS).unref());
  const answer = (async () => ask())().catch(() => otherwise);
  return Promise.race([answer, late]);
}
