/** Which seeds there are. */

/** Wherever a seed is given; the least is 0. */
export const SEED_MAX = 2 ** 32 - 1;
