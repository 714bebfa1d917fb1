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

  /** Makes a span of the device's GPU addresses a mirror of the process's. Payload, of this and the next three: the steps, `VaOpReport[]`. */
  vmBindMirror: 40,
  /** a = handle of a buffer object, b = its page that comes first. */
  vmBindBo: 41,
  /** a = first page of the process's memory. */
  vmBindUserptr: 42,
  vmUnbind: 43,
  /** Splits mirrors at the ends of the span, as advice for it would. */
  vmSplit: 44,
  /** Payload: the mappings that have a page of the span, `VaReport[]`; replies a = how many. */
  vmMappings: 45,
  /** A buffer object of npages in the device's VRAM, full of zeros; replies a = its handle. */
  vmCreateBo: 46,
  /** a = handle; mappings of it stay. */
  vmCloseBo: 47,
  /** page, npages = which of the object, a = handle, b = the byte. */
  vmFillBo: 48,
  /** page = which of the object, a = handle, b = index of the 32-bit word; replies a = its value. */
  vmLoadBo: 49,
} as const;

export type IoctlRequest = (typeof IoctlRequest)[keyof typeof IoctlRequest];
