/** How long a run without a clock of this machine's waits for its programs to come to rest. */

/**
 * Steps of all actors until every program has stopped, or stands between two operations: seconds, in which the longest operations end many times over. A
 * program that does not pass its gate would be waited for without end.
 */
export const REST_STEPS_MAX = 20_000_000;
