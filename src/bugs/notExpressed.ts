/** Known bugs that have no overlay, each with the reason. */

export interface NotExpressed {
  /** As in the catalogue of known bugs: `B92`. */
  readonly id: string;
  readonly reason: string;
}

/** In order of their numbers. */
export const notExpressed: readonly NotExpressed[] = [
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
  { id: 'B39', reason: 'There is no virtually tagged cache to flush.' },
  { id: 'B44', reason: 'A mistake of the build: the size of a huge page is no option.' },
  { id: 'B50', reason: 'The pagemap cache needs no spinlock: code between two yields is atomic.' },
  { id: 'B51', reason: 'How many pages have a destination is never kept: it is seen from the array.' },
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
  { id: 'B74', reason: 'Arrays of a command are not allocated by a step that could fail.' },
  { id: 'B76', reason: 'The number of a device file: nothing of it is behaviour.' },
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
