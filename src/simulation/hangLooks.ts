/** How a run in threads is watched for a hang. */

/** Adding up what all actors have counted takes the better part of a millisecond where there are many. */
export const LOOK_EVERY_MS = 1_000;
/**
 * So many looks in a row at which no actor has taken a step, and the run is called hung. Looks, not time: a machine that was suspended, or had no
 * time for this process, has passed none meanwhile.
 */
export const HANG_LOOKS = 30;
