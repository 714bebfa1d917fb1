/** Known bugs that have no overlay, each with the reason. */

export interface NotExpressed {
  /** As in the catalogue of known bugs: `B92`. */
  readonly id: string;
  readonly reason: string;
}

/** In order of their numbers. */
export const notExpressed: readonly NotExpressed[] = [
  {
    id: 'B5',
    reason:
      'Pfns that were not zeroed. A walk keeps the sticky bits of what it finds, and no consumer here looks at them: what is seen are only entries that the walk has filled in.',
  },
  {
    id: 'B6',
    reason:
      'A loop without a deadline. The deadline is a second, which is ten million steps of an explored run, and that has 160,000 at most: with and without it the loop goes on as long as somebody invalidates, and ends when programs without an end are told to stop.',
  },
  {
    id: 'B8',
    reason:
      'A direction read before anything was written. It is read for no pages at all, and arrays here hold zeros where nothing was written.',
  },
  {
    id: 'B13',
    reason:
      'A data race between machine instructions. A step is atomic here, and the flags change under the notifier lock only.',
  },
  {
    id: 'B17',
    reason:
      'An early design as a whole: migration excluded by mmap_lock for write. No step of the present protocol stands for it.',
  },
  {
    id: 'B19',
    reason:
      'A comparison that lets the address one past the window pass. This protocol has it as the kernel has; the window is all of the address space, and nothing can be mapped behind it.',
  },
  {
    id: 'B28',
    reason:
      'A fault with the locks of the walk held. The page-table lock is code without a yield here, from which no fault can be taken: the compiler refuses it.',
  },
  {
    id: 'B31',
    reason:
      'That a page is on the LRU is a flag of its folio, which goes with the last reference: a free page cannot be on it.',
  },
  {
    id: 'B32',
    reason:
      'A bit of an entry means the same in entries of all kinds here, so reading it from the wrong kind does no harm.',
  },
  {
    id: 'B39',
    reason: 'There is no virtually tagged cache to flush.',
  },
  {
    id: 'B44',
    reason: 'A mistake of the build: the size of a huge page is no option.',
  },
  {
    id: 'B50',
    reason: 'The pagemap cache needs no spinlock: code between two yields is atomic.',
  },
  {
    id: 'B51',
    reason: 'How many pages have a destination is never kept: it is seen from the array.',
  },
  {
    id: 'B53',
    reason:
      'Nobody keeps the answer: the next step looks where each page is, and what did not move is served from there.',
  },
  {
    id: 'B55',
    reason:
      'No bug by itself: a thread that faults within the timeslice of the device is to come again until it ends.',
  },
  {
    id: 'B58',
    reason:
      'A worker that is queued again after the end. The callback asks whether the mirror is closed and queues in one step, so none comes after; there is no second context that could.',
  },
  {
    id: 'B62',
    reason:
      'A reference that an error in the advice call leaks. Advice names devices by number here and holds no reference.',
  },
  {
    id: 'B63',
    reason: 'An index beyond a table of cache attributes. There is no such attribute here.',
  },
  {
    id: 'B67',
    reason:
      'The list of mappings to rebind, changed without its lock. There is no such list: what has lost its entries is bound by its next fault.',
  },
  {
    id: 'B69',
    reason:
      'A pointer that is left unset when no tile matches. A device has one memory here, and the language leaves no pointer unset.',
  },
  {
    id: 'B73',
    reason:
      'A large folio is unmapped through the entries of an address space, and its mirrors are told of one page. Here a huge page that moves is taken out of the one page table that it is collected from as a whole; who else maps it was made by fork, and ranges of devices that have only a part of it lose that part when the fork is announced.',
  },
  {
    id: 'B74',
    reason: 'Arrays of a command are not allocated by a step that could fail.',
  },
  {
    id: 'B76',
    reason: 'The number of a device file: nothing of it is behaviour.',
  },
  {
    id: 'B83',
    reason:
      'Requests of single pages that are left over from the pass before. Nobody here asks page by page: what is asked for holds for the whole range, and the bits of single entries are masked out.',
  },
  {
    id: 'B85',
    reason:
      'A process that ends while a callback for it runs on another thread. A program whose process ends underneath one of its operations counts as one with a mistake here, so no program of the catalogue can do it.',
  },
  {
    id: 'B87',
    reason:
      'An interrupt that names a process by a number which is that of nobody any more. A fault here reaches the host as a message of a device that has not forgotten the process: it does so only when its mirror is closed, and that waits for the faults under way.',
  },
  {
    id: 'B89',
    reason:
      'A look-up that finds an object whose last reference is just going. That the count falls to nothing and that the object leaves its table are one step here.',
  },
  {
    id: 'B92',
    reason:
      'Memory is released in a context that may not sleep. Here that is code between two steps of a task, from which nothing that sleeps can be called: the compiler refuses it.',
  },
  {
    id: 'B95',
    reason:
      'A warning when a driver is unloaded, a pointer that was never set and a list for checkpoints: this driver is never unloaded, has no checkpoints, and the language leaves no pointer unset.',
  },
];

export function findNotExpressed(id: string): NotExpressed | null {
  return notExpressed.find((one) => one.id.toLowerCase() === id.toLowerCase()) ?? null;
}
