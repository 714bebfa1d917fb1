/** Asks an actor that may be unable to answer. */

/** An actor that is busy answers between two slices of its work. */
const ANSWER_MS = 500;
/** Where the run is judged by the answer: also on a machine that has little time for it. */
export const JUDGED_ANSWER_MS = 5_000;

/** What an actor answers, or `otherwise` where it does not answer in time. */
export async function answerInTime<T>(ask: () => Promise<T> | T, otherwise: T, ms = ANSWER_MS): Promise<T> {
  const late = new Promise<T>((resolve) => setTimeout(() => resolve(otherwise), ms).unref());
  const answer = (async () => ask())().catch(() => otherwise);
  return Promise.race([answer, late]);
}
