/** The numbers of all driver calls. One list, so that every thread means the same; each row says what page, npages, a, b and payload are. */

/**
 * Where nothing is said: `page`, `npages` are the span of addresses, `a`, `b` and the replied `a`, `b` are 0, and the payload is not used.
 */
export const IoctlRequest = {
  /** Opens the test device for the calling process: one notifier over its whole address space. */
  mirrorOpen: 1,
  /** Closes what mirrorOpen opened. */
  mirrorClose: 2,
  /** Replies a = cpages, b = faults; payload data: what was read, page by page. */
  mirrorRead: 3,
  /** Payload data: what to write, page by page. Replies a = cpages, b = faults. */
  mirrorWrite: 4,
  /** Replies a = cpages; payload data: what the device then reads. */
  mirrorMigrateToDevice: 5,
  /** Replies a = cpages. */
  mirrorMigrateToSystem: 6,
  /** Replies a = cpages; payload data: one byte per page. */
  mirrorSnapshot: 7,
  /** Replies a = cpages; payload data: what was read through the exclusive entries. */
  mirrorExclusive: 8,
  mirrorCheckExclusive: 9,
  /** Moves every page of the device to RAM and gives its chunks back. */
  mirrorRelease: 10,
  /** a = flags; bit 0: the next allocation fails. */
  mirrorFlags: 11,

  /** Waits until the counter with number `a` is above 0, and takes one. Threads of one program meet by these. */
  semaphoreDown: 20,
  /** Adds `b` to the counter with number `a`. */
  semaphoreUp: 21,

  /** A child of the calling process, which shares its pages until one of the two writes. Replies a = its number. */
  fork: 30,
  /** Ends process `a`, which no thread runs any more. */
  exit: 31,
  /** As `exit`, but from outside and while devices may still work for it. */
  kill: 32,
} as const;

export type IoctlRequest = (typeof IoctlRequest)[keyof typeof IoctlRequest];
