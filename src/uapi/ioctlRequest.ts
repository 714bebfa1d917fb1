/** The numbers of all driver calls. One list, so that every thread means the same; each row says what page, npages, a, b and payload are. */

/**
 * Where nothing is said: `page`, `npages` are the span of addresses, `a`, `b` and the replied `a`, `b` are 0, and the payload is not used.
 */
export const IoctlRequest = {
  /** Opens the test device for the calling process: one notifier over its whole address space. */
  mirrorOpen: 1,
  /** Closes what mirrorOpen opened; on GPUs of the reference driver what their first mirrorSnapshot or mirrorExclusive did. */
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

  /** Waits for a message in pipe `a`. Payload: the message. Threads of one program talk by these. */
  pipeRead: 20,
  /** Payload: the message for pipe `a`. */
  pipeWrite: 21,

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
  /** As `vmBindMirror`: loads from the span give zeros, stores to it go nowhere. */
  vmBindSparse: 50,
  /** a = handle: all mappings of the object go. Payload: the steps. */
  vmUnbindBo: 51,

  // Of the reference driver. Places are `gpu0` and so on, `sys` or `cpu`; payload values are plain data.
  /** Payload value: `SvmRequest`. KFD's attributes of a span. */
  svmSetAttr: 60,
  /** Payload value: the attribute's name; the answer is its value as KFD reports it for `device`. Replies a = 1 if devices serve faults. */
  svmGetAttr: 61,
  /** Payload value: the place, or `default`. a: 1 if pages in another device's memory stay there. */
  madvisePreferred: 62,
  /** Payload value: `device`, `global`, `cpu` or `undefined`. */
  madviseAtomic: 63,
  /** Payload value: `{ advice, place }`. Replies a = a code of the API. */
  managedAdvise: 64,
  /** Payload value: the attribute's name; the answer is its value as CUDA and HIP report it. */
  managedGetAttr: 65,
  /** Payload value: the place, or `advised`. Replies b = how many pages of the span have left the device. Without a device it is a call of CUDA or HIP: replies a = a code of the API. */
  svmPrefetch: 66,
  /** a: 1 for on. */
  setXnack: 67,
  /** Payload value: the queue's name. */
  createQueue: 68,
  destroyQueue: 69,
  /** As {@link IoctlRequest.readResidency}, but the zero page is none. */
  queryResidency: 70,
  /** Brings everything home that migrated to the device. */
  vramEvict: 71,
  /** a = how many of the device's next allocations of memory fail. */
  vramFail: 72,

  mlock: 80,
  munlock: 81,
  /** a = flags of `GupFlag`, b: 1 for the fast variant. Replies a = how many pages could be had. */
  pinUnpin: 82,
  /** Swaps out what the process maps; of `npages` pages from `page` on, or of all where that is 0. Replies a = how many pages were freed. */
  reclaim: 83,
  /** Payload data: a byte per page, of which `pagemapEntry` knows the bits. */
  pagemapRead: 84,
  /** Missing pages of the span are filled at their first touch: dword i of the span holds a + i * b, in 32 bits. */
  userfaultRegister: 85,

  /** A new file of `npages` pages; payload data: its content. Replies a = its number. */
  fileCreate: 100,
  /** Reads file `a`; payload data: its content. Replies a = its pages. */
  fileRead: 101,
  /** Opens the node of `device` to be mapped. Replies a = its number. */
  fileOpenDevice: 102,

  /** Payload data: a byte per page, 0 for none, else 1 and the number of its zone. */
  readResidency: 96,
} as const;

/** What `svmSetAttr` takes; what is absent stays as it is. */
export interface SvmRequest {
  readonly prefetch?: string | undefined;
  readonly preferred?: string | undefined;
  readonly flags?: readonly string[] | undefined;
  readonly clearFlags?: readonly string[] | undefined;
  readonly granularity?: number | undefined;
  /** Per device. */
  readonly access?: string | undefined;
  readonly inPlace?: string | undefined;
  readonly noAccess?: string | undefined;
}

/** Drivers of users number their calls from here on. */
export const OWN_REQUEST_FIRST = 1024;

export type IoctlRequest = (typeof IoctlRequest)[keyof typeof IoctlRequest];
