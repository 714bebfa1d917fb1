/** Known bugs that have no overlay, each with the reason. */

export interface NotExpressed {
  /** As in the catalogue of known bugs: `B92`. */
  readonly id: string;
  readonly reason: string;
}

/** In order of their numbers. */
export const notExpressed: readonly NotExpressed[] = [
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
