/** How a fault is to be served. */

/** What a fault may or must do beyond making the page accessible. @kernel fault_flag */
export const FaultFlag = {
  /** A shared page becomes this mm's alone, so that it can be pinned for reading. @kernel FAULT_FLAG_UNSHARE */
  Unshare: 1,
  /** It may drop mmap_lock. @kernel FAULT_FLAG_ALLOW_RETRY */
  AllowRetry: 2,
  /** A program's own access; without it the kernel faults for somebody. @kernel FAULT_FLAG_USER */
  User: 4,
  /** It has dropped mmap_lock for this access before, and waits for a page's lock without doing so again. @kernel FAULT_FLAG_TRIED */
  Tried: 8,
} as const;
